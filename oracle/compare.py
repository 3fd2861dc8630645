#!/usr/bin/env python3
"""Photosite's masters beside Siril's and ccdproc's, pixel by pixel, from the same simulated frames.

    oracle/compare.py [--photosite target/release/photosite] [--frames 15]

Prints, for each method that a peer has under the same name, the share of pixels that agree to
1e-3 ADU, and the mean and the largest difference. README.md in this folder explains them.
Needs siril-cli (Debian's package `siril`) and python3 with numpy, astropy and ccdproc; what is
missing is said to be.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits

ROOT = Path(__file__).resolve().parent.parent

# name, options of ours, Siril's command
METHODS = [
    ("mean", ["--reject", "none", "--combine", "mean"], "mean none"),
    ("median", ["--reject", "none", "--combine", "median"], "med"),
    ("percentile 0.01 0.01", ["--reject", "percentile", "--sigma-low", "0.01", "--sigma-high", "0.01"],
     "rej p 0.01 0.01"),
    ("sigma 3 3", ["--reject", "sigma", "--sigma-low", "3", "--sigma-high", "3"], "rej s 3 3"),
    ("mad 3 3 (ours 2.0235)", ["--reject", "mad", "--sigma-low", "2.0235", "--sigma-high", "2.0235"],
     "rej a 3 3"),
    ("winsorized 3 3", ["--reject", "winsorized", "--sigma-low", "3", "--sigma-high", "3"], "rej w 3 3"),
    ("linear-fit 6 6 (ours 3)", ["--reject", "linear-fit", "--sigma-low", "3", "--sigma-high", "3"],
     "rej l 6 6"),
    ("gesd 0.3 0.05", ["--reject", "gesd"], "rej g 0.3 0.05"),
]


def read(path):
    return np.asarray(fits.getdata(path), dtype=np.float64)


def tell(method, peer, ours, theirs):
    d = ours - theirs
    agree = np.mean(np.abs(d) <= 1e-3)
    print(f"{method:28} {peer:8} {agree:9.4%} agree, mean {d.mean():+.5f}, largest {np.abs(d).max():.4f} ADU")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--photosite", type=Path, default=ROOT / "target" / "release" / "photosite")
    parser.add_argument("--frames", type=int, default=15)
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="photosite-oracle-"))
    none = [f"--{k}=0" for k in ("bias", "flats", "dark-flats", "lights")]
    size = ["--width", "512", "--height", "384"]
    subprocess.run([args.photosite, "simulate", "-o", work / "night", "--preset", "ccd",
                    "--darks", str(args.frames), *size, *none], check=True, stdout=subprocess.DEVNULL)
    files = sorted(str(p) for p in (work / "night" / "darks").glob("*.fits"))
    siril = shutil.which("siril-cli")
    if not siril:
        print("missing: siril-cli")
    for i, (name, options, command) in enumerate(METHODS):
        ours = work / f"ours{i}.fits"
        subprocess.run([args.photosite, "master", "dark", *files, "-o", ours, *options],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if siril:
            script = work / "s.ssf"
            script.write_text("requires 1.0.0\nsetext fit\nset32bits\n"
                              f"cd {work}/night/darks\nlink dark -out={work}/siril\ncd {work}/siril\n"
                              f"stack dark {command} -nonorm -out=result{i}\nclose\n")
            (work / "siril").mkdir(exist_ok=True)
            done = subprocess.run([siril, "-d", str(work / "siril"), "-s", str(script)],
                                  capture_output=True, check=False)
            result = work / "siril" / f"result{i}.fit"
            if not result.exists():
                print(f"{name:28} siril    made nothing: {done.stdout[-200:]!r}")
                continue
            # Siril writes floats of 0 to 1.
            theirs = read(result)
            theirs *= 65535.0 if theirs.max() <= 1.5 else 1.0
            tell(name, "siril", read(ours), theirs)
            if name.startswith("gesd"):
                tell("gesd against the plain mean", "siril", read(work / "ours0.fits"), theirs)
                tell("gesd against the plain mean", "ours", read(work / "ours0.fits"), read(ours))
    try:
        import ccdproc
        from astropy import units
        warnings.simplefilter("ignore")
        combined = ccdproc.combine(files, method="average", unit=units.adu, sigma_clip=True,
                                   sigma_clip_low_thresh=3, sigma_clip_high_thresh=3,
                                   sigma_clip_func=np.ma.median, sigma_clip_dev_func=np.ma.std)
        tell("sigma 3 3 (one round)", "ccdproc", read(work / "ours3.fits"), np.asarray(combined.data))
        combined = ccdproc.combine(files, method="median", unit=units.adu)
        tell("median", "ccdproc", read(work / "ours1.fits"), np.asarray(combined.data))
        combined = ccdproc.combine(files, method="average", unit=units.adu)
        tell("mean", "ccdproc", read(work / "ours0.fits"), np.asarray(combined.data))
    except ImportError:
        print("missing: ccdproc")
    shutil.rmtree(work)


if __name__ == "__main__":
    sys.exit(main())
