#!/usr/bin/env python3
"""Telegraph pixels of Photosite beside cmos-noise-map (PyPI), on the same frames.

    oracle/telegraph.py [--photosite target/release/photosite]

Bias frames of a known noise, some of whose pixels jump between two or three levels: how many of them each program
finds, with how many levels, and how many other pixels. Needs python3 below 3.12 with cmos-noise-map 0.1.4, which
brings numpy and astropy. README.md in this folder has the numbers.
"""

import argparse
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from cmos_noise_map.get_rts import get_rts

ROOT = Path(__file__).resolve().parent.parent
SIDE, NOISE_ADU, LEVEL_ADU, TWO, THREE = 160, 5.0, 500.0, 300, 100


def frames(count):
    random = np.random.default_rng(7)
    data = random.normal(LEVEL_ADU, NOISE_ADU, (count, SIDE, SIDE))
    truth = np.ones((SIDE, SIDE), int)
    for i, at in enumerate(random.choice(SIDE * SIDE, TWO + THREE, replace=False)):
        y, x = divmod(at, SIDE)
        jump = random.uniform(4.0, 15.0) * NOISE_ADU
        if i < TWO:
            states, share = [0.0, 1.0], random.uniform(0.15, 0.85)
            chances = [1.0 - share, share]
        else:
            states, chances = [-1.0, 0.0, 1.0], [0.25, 0.5, 0.25]
        data[:, y, x] += jump * random.choice(states, count, p=chances)
        truth[y, x] = len(states)
    return np.clip(np.rint(data), 0, 65535).astype(np.uint16), truth


def theirs(data):
    found = np.ones((SIDE, SIDE), int)
    # Pixels that scatter no more than others are not asked, as its manual advises.
    ceiling = 1.35 * NOISE_ADU
    for y in range(SIDE):
        for x in range(SIDE):
            samples = data[:, y, x].astype(float)
            levels = get_rts(samples, upper_quantile=ceiling, min_peak_separation=2.5 * NOISE_ADU)[2]
            found[y, x] = 1 if np.isnan(levels) else int(levels)
    return found


def ours(photosite, data, folder):
    for i, frame in enumerate(data):
        header = fits.Header({"IMAGETYP": "Bias Frame", "EXPTIME": 0.0, "INSTRUME": "oracle"})
        fits.PrimaryHDU(frame, header).writeto(folder / f"bias_{i:03}.fits")
    out = folder / "map.fits"
    subprocess.run([photosite, "defects", "build", "--biases", folder, "-o", out], check=True,
                   capture_output=True)
    found = np.ones((SIDE, SIDE), int)
    with fits.open(out) as hdus:
        table = hdus["TELEGRAPH"].data
        for row in table:
            levels = sum(np.isfinite(row[f"LEVEL{i}"]) for i in (1, 2, 3))
            found[row["Y"], row["X"]] = max(levels, 2)
    return found


def told(name, found, truth, seconds):
    of = lambda levels: truth == levels
    print(f"| {name} | {100 * np.mean(found[of(2)] > 1):.1f} % | {100 * np.mean(found[of(3)] > 1):.1f} % "
          f"| {100 * np.mean(found[of(2)] == 2):.1f} % | {100 * np.mean(found[of(3)] == 3):.1f} % "
          f"| {np.sum(found[of(1)] > 1)} | {seconds:.1f} s |")


def main():
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser()
    parser.add_argument("--photosite", default=ROOT / "target/release/photosite", type=Path)
    args = parser.parse_args()
    print(f"{TWO} pixels of two levels, {THREE} of three, of {SIDE * SIDE}\n")
    print("| frames | program | two found | three found | two as two | three as three | others | time |")
    print("|---|---|---|---|---|---|---|---|")
    for count in (20, 50, 100):
        data, truth = frames(count)
        begun = time.time()
        found = theirs(data)
        told(f"{count} | cmos-noise-map", found, truth, time.time() - begun)
        with tempfile.TemporaryDirectory() as folder:
            begun = time.time()
            found = ours(args.photosite, data, Path(folder))
            told(f"{count} | Photosite", found, truth, time.time() - begun)


if __name__ == "__main__":
    main()
