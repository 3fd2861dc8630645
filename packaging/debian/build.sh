#!/bin/sh
# Builds a Debian package of the command, its manual pages and its completions into target/debian.
# Needs the Rust toolchain, a C compiler and dpkg-deb; nothing is installed.
set -eu
cd "$(dirname "$0")/../.."
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
architecture=$(dpkg --print-architecture)
cargo build --release --locked -p photosite-cli
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
command=target/release/photosite
install -Dm755 "$command" "$root/usr/bin/photosite"
strip --strip-unneeded "$root/usr/bin/photosite"
mkdir -p "$root/usr/share/man/man1"
"$command" man -o "$root/usr/share/man/man1" --quiet
gzip -9n "$root"/usr/share/man/man1/*.1
for shell in bash zsh fish; do
    case $shell in
        bash) file=usr/share/bash-completion/completions/photosite ;;
        zsh) file=usr/share/zsh/vendor-completions/_photosite ;;
        fish) file=usr/share/fish/vendor_completions.d/photosite.fish ;;
    esac
    mkdir -p "$root/$(dirname $file)"
    "$command" completions $shell > "$root/$file"
done
mkdir -p "$root/usr/share/doc/photosite" "$root/DEBIAN"
cp README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE "$root/usr/share/doc/photosite/"
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" packaging/debian/control \
    > "$root/DEBIAN/control"
mkdir -p target/debian
dpkg-deb --root-owner-group --build "$root" "target/debian/photosite_${version}_$architecture.deb"
