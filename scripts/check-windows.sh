#!/usr/bin/env bash
# Checks that the workspace compiles for Windows, on Debian; run by hand, as it takes minutes.
#
# It needs no toolchain from elsewhere: Debian has the sources of the standard library, a compiler
# of the same version, and a C compiler for the C libraries among the dependencies.
#
#     apt-get install rustc-web rust-web-src gcc-mingw-w64-x86-64
#     scripts/check-windows.sh [ARGUMENTS OF cargo check]
#
# Nothing is linked or run: this finds code that does not exist on Windows, not code that behaves
# otherwise there. The hosted workflow runs the tests.
set -euo pipefail
cd "$(dirname "$0")/.."

target=x86_64-pc-windows-gnu
missing=()
for package in rustc-web rust-web-src gcc-mingw-w64-x86-64; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "not installed: ${missing[*]}; apt-get install ${missing[*]}" >&2
    exit 2
fi
if [ $# -eq 0 ]; then
    set -- --workspace --all-targets --keep-going
fi

# Debian's compiler, since the sources of the standard library must be of its version; the
# standard library is built from them, which a stable compiler does only when told so.
export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/windows"
exec nice cargo check --locked -Zbuild-std=std,panic_unwind --target "$target" "$@"
