#!/usr/bin/env python3
"""Stars found by Photosite, SEP and photutils on fields whose stars are known.

    bench/stars.py [--size 1024] [--fields 3] [--program PATH] [--only NAME,...]

Seven kinds of field, each made several times from seeds: plain, crowded, nebula, gradient,
undersampled (FWHM 1.0, 1.25 and 1.5 px), drawn out 3 to 1, and skies of whole numbers of which more
than half are equal. Needs numpy, astropy, sep and photutils; what is missing is said to be. Prints
the table of docs/stars.md, then the time of each a million pixels on one thread.

SNR is that of a perfect match: the root of the sum of (F p)^2 / variance, p the star's share in a
pixel. Thresholds: Photosite's own (5.5 in its match); SEP 1.5 sigma on 5 pixels under its default
filter, mesh of 64; DAOStarFinder 5 sigma above a mesh of 64, told the true width. Fluxes of all are sums
within 1.5 FWHM, less what a Gaussian loses there.
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits

from common import release

SIGMA = 2.354820045


def profile(size, x, y, sx, sy, angle):
    """The share of a star in each pixel of a stamp, and where the stamp lies."""
    reach = int(5 * max(sx, sy) + 3)
    x0, x1 = max(0, round(x) - reach), min(size, round(x) + reach + 1)
    y0, y1 = max(0, round(y) - reach), min(size, round(y) + reach + 1)
    fine = 5
    over = (np.arange(fine) + 0.5) / fine - 0.5
    xs = (np.arange(x0, x1)[:, None] + over).ravel() - x
    ys = (np.arange(y0, y1)[:, None] + over).ravel() - y
    c, s = np.cos(angle), np.sin(angle)
    u = c * xs[None, :] + s * ys[:, None]
    v = -s * xs[None, :] + c * ys[:, None]
    p = np.exp(-0.5 * ((u / sx) ** 2 + (v / sy) ** 2)) / (2 * np.pi * sx * sy * fine * fine)
    p = p.reshape(y1 - y0, fine, x1 - x0, fine).sum(axis=(1, 3))
    return p, slice(y0, y1), slice(x0, x1)


def field(kind, size, seed):
    """Samples, the stars in them (x, y, flux, snr), and their width."""
    random = np.random.default_rng([seed, sum(map(ord, kind))])
    fwhm, count, gain, read, ratio = 3.0, 700, 1.0, 3.0, 1.0
    y, x = np.mgrid[:size, :size]
    sky = np.full((size, size), 200.0)
    if kind == "crowded":
        fwhm, count = 2.5, 6000
    elif kind == "nebula":
        for _ in range(14):
            sigma = np.exp(random.uniform(np.log(12), np.log(60)))
            cx, cy = random.uniform(0, size, 2)
            height = np.exp(random.uniform(np.log(30), np.log(300)))
            sky += height * np.exp(-0.5 * ((x - cx) ** 2 + (y - cy) ** 2) / sigma**2)
    elif kind == "gradient":
        sky = 100.0 + 1000.0 * x / size
    elif kind.startswith("FWHM"):
        fwhm = float(kind.split()[1])
    elif kind == "drawn out":
        fwhm, ratio = 2.5 * np.sqrt(3), 3.0
    elif kind == "whole numbers":
        sky[:], read, gain = 9.0, 1.0, 0.1
    elif kind == "clipped":
        sky[:], read = 0.0, 4.0
    angle = random.uniform(0, np.pi)
    sx, sy = fwhm / SIGMA * np.sqrt(ratio), fwhm / SIGMA / np.sqrt(ratio)
    truth, stars = sky.copy(), []
    count = round(count * (size / 1024) ** 2)
    for _ in range(count):
        cx, cy = random.uniform(12, size - 12, 2)
        p, rows, columns = profile(size, cx, cy, sx, sy, angle)
        var = sky[rows, columns] + read**2
        least = np.sqrt(var.mean() / (p**2).sum())
        flux = least * 4.0 * (1 - random.uniform() * 0.9995) ** -0.9
        snr = np.sqrt(((flux * p) ** 2 / (var + flux * p)).sum())
        truth[rows, columns] += flux * p
        stars.append((cx, cy, flux * gain, snr))
    data = random.poisson(truth) + random.normal(0, read, truth.shape)
    if kind == "whole numbers":
        data = np.round(data * gain + 20)
    elif kind == "clipped":
        data = np.maximum(np.round(data), 0)
    return data.astype(np.float32), np.array(stars), fwhm


def ours(program, data, fwhm):
    """Places, fluxes and widths by Photosite."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "field.fits"
        fits.writeto(path, data)
        out = subprocess.run([program, "stars", path, "--csv", "--threads", "1"], check=True,
                             capture_output=True, text=True).stdout.splitlines()
    rows = np.array([line.split(",") for line in out[1:]], float).reshape(-1, len(out[0].split(",")))
    at = {name: i for i, name in enumerate(out[0].split(","))}
    return rows[:, at["x"]], rows[:, at["y"]], rows[:, at["flux"]], rows[:, at["fwhm_px"]]


def sep_finds(_, data, fwhm):
    """The same by SEP."""
    import sep

    sep.set_extract_pixstack(2_000_000)
    back = sep.Background(data)
    flat = data - back
    found = sep.extract(flat, 1.5, err=max(back.globalrms, 1e-3))
    x, y, _ = sep.winpos(flat, found["x"], found["y"], np.full(len(found), fwhm / SIGMA))
    flux, _, _ = sep.sum_circle(flat, x, y, 1.5 * fwhm)
    width = 2 * np.sqrt(np.log(2) * (found["a"] ** 2 + found["b"] ** 2))
    return x, y, flux, width


def photutils_finds(_, data, fwhm):
    """The same by DAOStarFinder."""
    from astropy.stats import SigmaClip
    from photutils.aperture import CircularAperture, aperture_photometry
    from photutils.background import Background2D, MedianBackground
    from photutils.detection import DAOStarFinder

    back = Background2D(data, 64, filter_size=3, sigma_clip=SigmaClip(3.0),
                        bkg_estimator=MedianBackground())
    flat = data - back.background
    noise = max(float(back.background_rms_median), 1e-3)
    found = DAOStarFinder(5 * noise, max(fwhm, 1.0))(flat)
    if found is None:
        return (np.zeros(0),) * 4
    columns = found.colnames
    x = np.array(found["x_centroid" if "x_centroid" in columns else "xcentroid"])
    y = np.array(found["y_centroid" if "y_centroid" in columns else "ycentroid"])
    apertures = CircularAperture(np.stack([x, y], 1), 1.5 * fwhm)
    flux = np.array(aperture_photometry(flat, apertures)["aperture_sum"])
    return x, y, flux, np.full(len(x), np.nan)


def nearest(ax, ay, bx, by):
    """For each of a the index of the nearest of b, and how far it is."""
    from scipy.spatial import cKDTree

    if len(bx) == 0:
        return np.zeros(len(ax), int), np.full(len(ax), np.inf)
    distance, index = cKDTree(np.stack([bx, by], 1)).query(np.stack([ax, ay], 1))
    return index, distance


def loss(fwhm, radius):
    """What a star keeps within a radius."""
    sigma = fwhm / SIGMA
    p, _, _ = profile(200, 100, 100, sigma, sigma, 0.0)
    y, x = np.indices(p.shape) - p.shape[0] // 2
    share = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return (p * share).sum()


def score(stars, fwhm, wide, drawn, found):
    """What was found of the stars of one field."""
    sx, sy, true, snr = stars.T
    x, y, flux, width = found
    near = max(1.0, 0.5 * fwhm)
    index, distance = nearest(sx, sy, x, y)
    hit = distance < near
    _, away = nearest(x, y, sx, sy)
    from scipy.spatial import cKDTree

    lonely = cKDTree(stars[:, :2]).query(stars[:, :2], 2)[0][:, 1] > 5 * fwhm
    good = hit & lonely & (snr > 30)
    ratio = flux[index[good]] / true[good] / (1.0 if drawn else loss(fwhm, 1.5 * wide)) - 1
    return {
        "ten": (hit[snr > 10].sum(), (snr > 10).sum()),
        "thirty": (hit[snr > 30].sum(), (snr > 30).sum()),
        "false": (away > max(2.0, fwhm)).sum(),
        "ratio": ratio,
        "place": np.hypot(x[index[good]] - sx[good], y[index[good]] - sy[good]),
        "width": width[index[good]],
    }


def row(name, scores, fwhm, with_pixel):
    """A line of the table, from several fields."""
    def share(key):
        a, b = np.sum([s[key] for s in scores], axis=0)
        return f"{a / max(b, 1):.3f}"

    ratio, place, width = (np.concatenate([s[key] for s in scores])
                           for key in ("ratio", "place", "width"))
    if len(ratio) == 0:
        return f"| {name} | {share('ten')} | {share('thirty')} | {sum(s['false'] for s in scores)} | - | - | - | - |"
    scatter = 1.4826 * np.median(np.abs(ratio - np.median(ratio)))
    rms = np.sqrt(np.mean(np.minimum(place, 3 * np.median(place)) ** 2) / 2)
    width = f"{np.median(width) / with_pixel - 1:+.1%}" if np.isfinite(width).any() else "-"
    return (f"| {name} | {share('ten')} | {share('thirty')} | {sum(s['false'] for s in scores)} | "
            f"{np.median(ratio):+.2%} | {scatter:.2%} | {rms:.3f} | {width} |")


KINDS = ["plain", "crowded", "nebula", "gradient", "FWHM 1.0", "FWHM 1.25", "FWHM 1.5", "drawn out",
         "whole numbers", "clipped"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--fields", type=int, default=3)
    parser.add_argument("--program", type=Path)
    parser.add_argument("--only", default=",".join(KINDS))
    parser.add_argument("--contenders", default="Photosite,SEP,photutils")
    options = parser.parse_args()
    program = options.program or release()
    contenders = {"Photosite": ours}
    for name, module, finds in [("SEP", "sep", sep_finds), ("photutils", "photutils", photutils_finds)]:
        try:
            __import__(module)
            contenders[name] = finds
        except ImportError:
            print(f"{name} is missing")
    contenders = {n: f for n, f in contenders.items() if n in options.contenders.split(",")}
    print("| field | program | SNR > 10 | SNR > 30 | false | flux | scatter | place, px | FWHM |")
    print("|---|---|---|---|---|---|---|---|---|")
    for kind in options.only.split(","):
        fields = [field(kind, options.size, seed) for seed in range(options.fields)]
        fwhm = fields[0][2]
        # Pixels are squares: their width adds to that of the light.
        axes = (np.sqrt(3), 1 / np.sqrt(3)) if kind == "drawn out" else (1,)
        with_pixel = np.mean([SIGMA * np.sqrt((fwhm * a / SIGMA) ** 2 + 1 / 12) for a in axes])
        for name, finds in contenders.items():
            try:
                scores = [score(stars, fwhm, with_pixel, kind == "drawn out",
                                finds(program, data, with_pixel))
                          for data, stars, fwhm in fields]
                print(f"| {kind} {row(name, scores, fwhm, with_pixel)}", flush=True)
            except Exception as error:  # SEP gives up on skies that are cut off
                print(f"| {kind} | {name} | fails: {str(error)[:40]} ||||||| ", flush=True)
    if "SEP" not in contenders:
        return
    data, _, fwhm = field("plain", 4 * options.size, 1)
    print(f"\nseconds a million pixels, one thread, {data.shape[0]} x {data.shape[1]}; Photosite with "
          "start and reading, the others without:")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "field.fits"
        fits.writeto(path, data)
        times = {name: [] for name in contenders}
        for _ in range(5):
            for name, finds in contenders.items():
                start = time.perf_counter()
                if name == "Photosite":
                    subprocess.run([program, "stars", path, "--csv", "--threads", "1"], check=True,
                                   capture_output=True)
                else:
                    finds(program, data, fwhm)
                times[name].append(time.perf_counter() - start)
        for name, seconds in times.items():
            print(f"{name}: {1e6 * np.median(seconds) / data.size:.4f}")


if __name__ == "__main__":
    main()
