#!/usr/bin/env python3
"""Cosmic rays of Photosite beside astroscrappy, on the same lights.

    oracle/cosmic.py [--photosite target/release/photosite]

Lights of a known noise with stars and tracks of cosmic rays: the share of struck pixels above 10 sigma that each
masks, and star pixels that it masks though nothing struck them. Needs python3 with numpy, astropy and
astroscrappy. README.md in this folder has the numbers.
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import astroscrappy
import numpy as np
from astropy.io import fits

ROOT = Path(__file__).resolve().parent.parent
SIDE, SKY_E, READ_E, GAIN, STARS, RAYS = 800, 400.0, 6.0, 1.0, 400, 120
COSMIC = 32


def light(fwhm_px, seed):
    random = np.random.default_rng(seed)
    stars = np.zeros((SIDE, SIDE))
    sigma = fwhm_px / 2.3548
    for _ in range(STARS):
        x, y = random.uniform(20, SIDE - 20, 2)
        x0, y0 = int(x), int(y)
        yy, xx = np.mgrid[y0 - 14:y0 + 15, x0 - 14:x0 + 15]
        total = 10.0 ** random.uniform(3.0, 5.2)
        shape = np.exp(-0.5 * ((xx - x) ** 2 + (yy - y) ** 2) / sigma**2)
        stars[y0 - 14:y0 + 15, x0 - 14:x0 + 15] += total * shape / shape.sum()
    rays = np.zeros((SIDE, SIDE))
    for _ in range(RAYS):
        x, y = random.uniform(10, SIDE - 40, 2)
        angle, length = random.uniform(0, np.pi / 2), random.exponential(8.0)
        for step in np.arange(0.0, max(length, 1.0), 0.7):
            at = int(y + step * np.sin(angle)), int(x + step * np.cos(angle))
            if max(at) < SIDE:
                rays[at] += random.uniform(300.0, 2500.0)
    mean = SKY_E + stars
    data = random.poisson(mean) + random.normal(0.0, READ_E, mean.shape) + rays
    noise = np.sqrt(mean + READ_E**2)
    return np.clip(np.rint(data / GAIN + 1000.0), 0, 65535), stars, rays / noise


def ours(photosite, data, folder):
    header = fits.Header({"IMAGETYP": "Light Frame", "EXPTIME": 300.0, "EGAIN": GAIN, "RDNOISE": READ_E})
    fits.PrimaryHDU(data.astype(np.uint16), header).writeto(folder / "light.fits")
    command = [photosite, "calibrate", folder / "light.fits", "--bias", "1000", "--cosmic", "-o", folder / "out"]
    subprocess.run(command, check=True, capture_output=True)
    made = next((folder / "out").rglob("*.fits")) if (folder / "out").is_dir() else folder / "out"
    with fits.open(made) as hdus:
        return (hdus["DQ"].data.astype(int) & COSMIC) != 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--photosite", default=ROOT / "target/release/photosite", type=Path)
    args = parser.parse_args()
    print("| FWHM | program | rays | star pixels | others | time |\n|---|---|---|---|---|---|")
    for fwhm_px in (1.6, 2.2, 2.8):
        data, stars, sigmas = light(fwhm_px, 3)
        struck = sigmas > 10.0
        near = np.zeros_like(struck)
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                near |= np.roll(sigmas > 0.0, (dy, dx), (0, 1))
        star = (stars > 0.1 * SKY_E) & ~near
        other = ~star & ~near

        def told(name, mask, seconds):
            print(f"| {fwhm_px} px | {name} | {100 * mask[struck].mean():.1f} % of {struck.sum()} "
                  f"| {mask[star].sum()} of {star.sum()} | {mask[other].sum()} | {seconds:.2f} s |")

        for name, more in (("astroscrappy", {}), ("astroscrappy, objlim 2", {"objlim": 2.0})):
            begun = time.time()
            image = (data - 1000.0).astype(np.float32)
            mask, _ = astroscrappy.detect_cosmics(image, gain=GAIN, readnoise=READ_E, satlevel=60000.0, **more)
            told(name, mask, time.time() - begun)
        with tempfile.TemporaryDirectory() as folder:
            begun = time.time()
            told("Photosite", ours(args.photosite, data, Path(folder)), time.time() - begun)


if __name__ == "__main__":
    main()
