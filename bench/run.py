#!/usr/bin/env python3
"""Masters of Photosite and of its peers from the same frames, side by side.

    bench/run.py [--frames 20] [--width 4656 --height 3520] [--rounds 5] [--cold] [--memory SIZE]
                 [--work DIR]

Makes the frames with `photosite simulate`, then runs, round after round and interleaved, every
contender that is present: Photosite (winsorized 3/3, median, linear fit), Siril (Debian's package
`siril`), ccdproc and a plain numpy mean (where python3 has them), and `cat` of the same files as
the floor. Prints medians, ratios to Siril and peak memory, and writes every single number to
bench/runs/<date>/. --cold drops the page cache before each run, which takes root.

Whole processes are timed, from start to exit; peak memory is that of the largest process. A
contender that is not present is said to be missing, never left out in silence.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from common import release, report, run

NUMPY_MEAN = """
import sys, numpy as np
from astropy.io import fits
total = None
for name in sys.argv[2:]:
    data = fits.getdata(name).astype(np.float32)
    total = data if total is None else total + data
fits.writeto(sys.argv[1], total / len(sys.argv[2:]), overwrite=True)
"""

CCDPROC = """
import sys, warnings
warnings.simplefilter("ignore")
import ccdproc
from astropy import units as u
from astropy.stats import mad_std
import numpy as np
ccdproc.combine(sys.argv[2:], sys.argv[1], method="average", unit=u.adu, sigma_clip=True,
                sigma_clip_low_thresh=3, sigma_clip_high_thresh=3, sigma_clip_func=np.ma.median,
                sigma_clip_dev_func=mad_std, mem_limit=2e9, overwrite_output=True)
"""


def drop_caches():
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n")


def has_module(name):
    probe = [sys.executable, "-c", f"import {name}"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def contenders(photosite, frames, work, memory):
    """(name, command, product) of everything that is present, and the names of what is not."""
    files = sorted(str(p) for p in frames.glob("*.fits"))
    found, missing = [], []

    def ours(name, *options):
        product = work / f"{name}.fits"
        command = [str(photosite), "master", "bias", *files, "-o", str(product), *options, *memory]
        found.append((f"photosite {name}", command, product))

    thresholds = ["--sigma-low", "3", "--sigma-high", "3"]
    ours("winsorized", "--reject", "winsorized", *thresholds)
    ours("median", "--combine", "median")
    ours("linear-fit", "--reject", "linear-fit")
    ours("auto")
    siril = shutil.which("siril-cli")
    if siril:
        folder = work / "siril"
        folder.mkdir(exist_ok=True)
        link = ["requires 1.0.0", "setext fit", f"cd {frames}", f"link bias -out={folder}"]
        stack = [f"cd {folder}", "stack bias rej w 3 3 -nonorm -out=master_bias", "close"]
        script = folder / "stack.ssf"
        script.write_text("\n".join(link + stack) + "\n")
        command = [siril, "-d", str(folder), "-s", str(script)]
        found.append(("siril winsorized", command, folder / "master_bias.fit"))
    else:
        missing.append("siril (apt-get install siril)")
    if has_module("ccdproc"):
        product = work / "ccdproc.fits"
        command = [sys.executable, "-c", CCDPROC, str(product), *files]
        found.append(("ccdproc sigma clip", command, product))
    else:
        missing.append("ccdproc (pip install ccdproc)")
    if has_module("astropy"):
        product = work / "numpy.fits"
        command = [sys.executable, "-c", NUMPY_MEAN, str(product), *files]
        found.append(("numpy mean", command, product))
    else:
        missing.append("numpy and astropy (pip install astropy)")
    found.append(("cat", ["sh", "-c", 'cat "$@" > /dev/null', "cat", *files], None))
    return found, missing


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--width", type=int, default=4656)
    parser.add_argument("--height", type=int, default=3520)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--memory", help="the memory that Photosite is allowed, 512MiB say")
    parser.add_argument("--only", default="", help="contenders whose name has one of these in it, comma between")
    parser.add_argument("--work", type=Path, help="keep frames here between calls")
    args = parser.parse_args()

    photosite = release()
    work = args.work or Path(tempfile.mkdtemp(prefix="photosite-bench-"))
    work.mkdir(parents=True, exist_ok=True)
    night = work / f"night-{args.frames}-{args.width}x{args.height}"
    if not night.exists():
        counts = ["--darks", "0", "--flats", "0", "--dark-flats", "0", "--lights", "0"]
        size = ["--width", str(args.width), "--height", str(args.height)]
        command = [str(photosite), "simulate", "-o", str(night), "--bias", str(args.frames)]
        subprocess.run([*command, *size, *counts], check=True, stdout=subprocess.DEVNULL)
    memory = ["--memory", args.memory] if args.memory else []
    found, missing = contenders(photosite, night / "bias", work, memory)
    found = [c for c in found if any(part in c[0] for part in args.only.split(","))]
    numbers = {name: [] for name, _, _ in found}
    with open(work / "log.txt", "ab") as log:
        # The first round warms the page cache and does not count.
        for round_number in range(args.rounds + 1):
            for name, command, product in found:
                if product:
                    product.unlink(missing_ok=True)
                if args.cold:
                    drop_caches()
                result = run(command, log)
                made = product is None or product.exists()
                if result["exit"] != 0 or not made:
                    sys.exit(f"{name} failed (exit {result['exit']}); see {work / 'log.txt'}")
                if round_number > 0:
                    numbers[name].append(result)

    for name in missing:
        print(f"missing: {name}")
    cache = "cold" if args.cold else "warm"
    title = (f"{args.frames} frames of {args.width}x{args.height}, {os.cpu_count()} cores, "
             f"{args.rounds} rounds, {cache} page cache, medians")
    report(title, numbers, "siril winsorized", f"{args.frames}x{args.width}x{args.height}-{cache}",
           {"memory": args.memory, "missing": missing})
    if not args.work:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
