#!/usr/bin/env python3
"""Photosite's overscan beside ccdproc's subtract_overscan, on the same frames.

    oracle/overscan.py [--photosite target/release/photosite] [--saao FRAME]

Bias frames of a level that is known, row by row: what is left of it after the overscan was taken off, as a root mean
square over the rows. Needs python3 with numpy, astropy and ccdproc. README.md in this folder has the numbers.
"""

import argparse
import subprocess
import tempfile
import warnings
from pathlib import Path

import astropy.units as u
import ccdproc
import numpy as np
from astropy.io import fits
from astropy.modeling.models import Chebyshev1D
from astropy.nddata import CCDData

ROOT = Path(__file__).resolve().parent.parent
HEIGHT, WIDTH, OVER, READ_ADU = 1024, 1024, 32, 5.0
TRIM = f"[1:{WIDTH},1:{HEIGHT}]"
BIAS = f"[{WIDTH + 1}:{WIDTH + OVER},1:{HEIGHT}]"


def levels(name, random):
    y = np.arange(HEIGHT)
    level = np.full(HEIGHT, 1000.0)
    if name != "constant":
        level += 15.0 * np.exp(-y / 120.0) - 4.0 * y / HEIGHT
    if name == "row noise":
        level += random.normal(0.0, 3.0, HEIGHT)
    return level


def frame(name, seed):
    random = np.random.default_rng(seed)
    level = levels(name, random)
    data = level[:, None] + random.normal(0.0, READ_ADU, (HEIGHT, WIDTH + OVER))
    if name == "bright light":
        # A flat of 40000 ADU leaves a two-thousandth of its last sample behind, and one star bleeds.
        data[:, :WIDTH] += 40000.0
        data[:, WIDTH] += 20.0
        data[:, WIDTH + 1] += 0.01
        data[500:512, WIDTH:] += 3000.0
    return level, np.clip(np.rint(data), 0, 65535).astype(np.uint16)


def left(data, level, name):
    # What is left of the level, by what was taken off the known one; light is no concern of this.
    above = 40000.0 if name == "bright light" else 0.0
    rows = data.mean(axis=1) - above
    own = READ_ADU / np.sqrt(WIDTH)
    return np.sqrt(max(np.mean(rows**2) - own**2, 0.0))


def ours(photosite, data, method, folder):
    header = fits.Header([("IMAGETYP", "LIGHT"), ("EXPTIME", 1.0), ("BIASSEC", BIAS), ("TRIMSEC", TRIM)])
    fits.PrimaryHDU(data, header).writeto(folder / "frame.fits", overwrite=True)
    out = folder / method.replace(":", "")
    command = [photosite, "calibrate", folder / "frame.fits", "-o", out, "--bias", "0", "--overscan-method", method]
    subprocess.run(command, check=True, capture_output=True)
    result = fits.getdata(out / "frame.fits").astype(float)
    (out / "frame.fits").unlink()
    return result


def theirs(data, **how):
    ccd = CCDData(data.astype(float), unit=u.adu)
    ccd = ccdproc.subtract_overscan(ccd, fits_section=BIAS, overscan_axis=1, **how)
    return ccdproc.trim_image(ccd, fits_section=TRIM).data


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--photosite", default=ROOT / "target/release/photosite", type=Path)
    parser.add_argument("--saao", default=ROOT / "../shared/data/odd/a8280271.fits", type=Path)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    ways = [
        ("photosite auto", lambda d, f: ours(args.photosite, d, "auto", f)),
        ("photosite row", lambda d, f: ours(args.photosite, d, "row", f)),
        ("photosite clipped", lambda d, f: ours(args.photosite, d, "clipped", f)),
        ("ccdproc median of rows", lambda d, _: theirs(d, median=True)),
        ("ccdproc mean of rows", lambda d, _: theirs(d, median=False)),
        ("ccdproc median, Chebyshev 1", lambda d, _: theirs(d, median=True, model=Chebyshev1D(1))),
        ("ccdproc median, Chebyshev 5", lambda d, _: theirs(d, median=True, model=Chebyshev1D(5))),
    ]
    cases = ["constant", "drift", "row noise", "bright light"]
    print("| way | " + " | ".join(cases) + " |")
    print("|---" * (len(cases) + 1) + "|")
    with tempfile.TemporaryDirectory() as folder:
        for name, way in ways:
            cells = []
            for case in cases:
                found = []
                for seed in range(6):
                    level, data = frame(case, seed)
                    found.append(left(way(data, Path(folder)), level, case))
                cells.append(f"{np.sqrt(np.mean(np.square(found))):.3f}")
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
        if args.saao.exists():
            out = Path(folder) / "saao"
            subprocess.run([args.photosite, "calibrate", args.saao, "-o", out, "--bias", "0"], check=True,
                           capture_output=True)
            mine = fits.getdata(out / args.saao.name)
            raw = CCDData.read(args.saao, unit=u.adu)
            section, trim = raw.header["BIASSEC"], raw.header["TRIMSEC"]
            peer = ccdproc.subtract_overscan(raw, fits_section=section, overscan_axis=1, median=True,
                                             model=Chebyshev1D(1))
            peer = ccdproc.trim_image(peer, fits_section=trim).data
            print(f"\n{args.saao.name}: {mine.shape[::-1]} of {trim}, ours less ccdproc's: mean "
                  f"{np.mean(mine - peer):+.3f}, largest {np.abs(mine - peer).max():.3f} ADU")


if __name__ == "__main__":
    main()
