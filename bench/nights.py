#!/usr/bin/env python3
"""Random bad nights through Photosite, Siril and seiza: how many lights each uses, and what stars come out as.

    PHOTOSITE_NIGHTS_IN=NIGHTS cargo test --release -p photosite --test numbers nights_as_files -- --ignored
    bench/nights.py NIGHTS [--program PATH] [--siril siril-cli] [--seiza seiza]

NIGHTS gets twenty folders of calibrated lights without an array, with the truth of each. A stack is held
against the light on whose pixels it lies: the one whose stars it has most of. `flux` is the median over single
stars of what lies within an aperture, over the truth, and its error; `scatter` what they differ by among each other
beyond their noise, which no level changes. Programs that are missing are said to be.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits

from common import release


def photosite(program, lights, work):
    """The picture, and how many lights are in it."""
    out = work / "stack.fits"
    done = subprocess.run([program, "stack", *lights, "-o", out, "--json"], capture_output=True, text=True)
    if done.returncode or not out.exists():
        return None
    told = json.loads(done.stdout)
    told = told.get("stacks", [told])[0]
    return fits.getdata(out, 0), sum(light["used"] for light in told["lights"])


def siril(program, lights, work):
    """The same by Siril: global registration, winsorized 3 3, additive with scaling."""
    folder = work / "lights"
    folder.mkdir()
    for light in lights:
        shutil.copy(light, folder)
    script = work / "script.ssf"
    script.write_text("requires 1.0.0\nsetext fit\nsetfindstar 0.2 0.4\n"
                      f"cd {folder}\nlink light -out={work}\ncd {work}\nregister light\n"
                      "stack r_light rej w 3 3 -norm=addscale -out=result\nclose\n")
    subprocess.run([program, "-d", work, "-s", script], capture_output=True)
    out = work / "result.fit"
    if not out.exists():
        return None
    return fits.getdata(out), len(list(work.glob("r_light_*.fit")))


def seiza(program, lights, work):
    """The same by seiza, with the rejection that looks at all lights."""
    out = work / "stack.fits"
    done = subprocess.run([program, "stack", *lights, "--reintegrate", "--no-gpu", "-o", out],
                          capture_output=True, text=True)
    if not out.exists():
        return None
    used = [line for line in (done.stdout + done.stderr).splitlines() if "frames" in line.lower()]
    with fits.open(out) as hdus:
        image = next(h for h in hdus if h.data is not None)
        used = image.header.get("NCOMBINE", image.header.get("STACKCNT", used[-1] if used else "?"))
        return image.data, used


def within(data, x, y, radius, rim):
    """Light within an aperture above the median of a ring, and how noisy it is; None at the edge."""
    reach = int(radius + rim + 4)
    i, j = round(x), round(y)
    if min(i, j) < reach or i + reach >= data.shape[1] or j + reach >= data.shape[0]:
        return None
    part = data[j - reach:j + reach + 1, i - reach:i + reach + 1]
    b, a = np.mgrid[-reach:reach + 1, -reach:reach + 1]
    away = np.hypot(a - (x - i), b - (y - j))
    share = np.clip(radius + 0.5 - away, 0, 1)
    ring = part[(away > radius + 3) & (away < radius + rim + 3)]
    if not np.isfinite(part[away < radius + rim + 3]).all() or ring.std() == 0:
        return None
    level = np.median(ring)
    noise = 1.4826 * np.median(np.abs(ring - level)) * np.sqrt(share.sum())
    return (share * (part - level)).sum(), noise


def measure(data, truth):
    """Median flux over truth, its error, and the scatter beyond noise, on the pixels of the light that fits best."""
    data = np.squeeze(np.asarray(data, float))
    if data.ndim != 2:
        return None
    radius = max(4.0, 1.5 * max(light["fwhm_px"] for light in truth["lights"]))
    best = None
    for light in truth["lights"]:
        stars = np.array(light["stars"])
        if len(stars) < 2:
            continue
        apart = np.hypot(*(stars[:, None, :2] - stars[None, :, :2]).transpose(2, 0, 1))
        np.fill_diagonal(apart, np.inf)
        near = (np.where(apart < 2 * radius + 8, stars[None, :, 2], 0)).sum(1)
        ratios, errors = [], []
        for (x, y, flux), beside in zip(stars, near):
            seen = within(data, x, y, radius, 8.0) if beside < 0.02 * flux else None
            if seen and seen[1] > 0:
                ratios.append(seen[0] / flux)
                errors.append(seen[1] / flux)
        if not ratios:
            continue
        ratios, errors = np.array(ratios), np.array(errors)
        score = (ratios / errors).sum()
        if best is None or score > best[0]:
            best = score, ratios, errors
    if best is None:
        return None
    _, ratios, errors = best
    # Programs that store 0..1 mean 65535.
    if np.median(ratios) < 1e-3:
        ratios, errors = ratios * 65535, errors * 65535
    keep = errors < 0.1
    ratios, errors = (ratios[keep], errors[keep]) if keep.any() else (ratios, errors)
    weight = 1 / (errors**2 + 0.01**2)
    mean = np.median(ratios)
    error = np.sqrt(np.pi / 2) / np.sqrt(weight.sum())
    scatter = 1.4826 * np.median(np.abs(ratios - mean)) if len(ratios) > 3 else np.nan
    beyond = np.sqrt(max(scatter**2 - np.median(errors) ** 2, 0.0))
    return mean - 1, error, beyond, len(ratios)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("nights", type=Path)
    parser.add_argument("--program", type=Path)
    parser.add_argument("--siril", default="siril-cli")
    parser.add_argument("--seiza", default="seiza")
    options = parser.parse_args()
    contenders = {"Photosite": (photosite, str(options.program or release()))}
    for name, does, program in [("Siril", siril, options.siril), ("seiza", seiza, options.seiza)]:
        if shutil.which(program):
            contenders[name] = does, program
        else:
            print(f"{name} is missing")
    print("| night | lights | stars | " + " | ".join(f"{n}: lights, flux, scatter" for n in contenders) + " |")
    print("|---|---|---|" + "---|" * len(contenders))
    for folder in sorted(p for p in options.nights.iterdir() if p.is_dir()):
        truth = json.loads((folder / "truth.json").read_text())
        lights = sorted(folder.glob("light_*.fits"))
        cells = []
        for does, program in contenders.values():
            with tempfile.TemporaryDirectory() as work:
                made = does(program, lights, Path(work))
                if made is None:
                    cells.append("no picture")
                    continue
                data, used = made
                found = measure(data, truth)
            told = "no single star" if found is None else "{:+.1%} ± {:.1%}, {:.1%} of {}".format(*found)
            cells.append(f"{used}, {told}")
        print(f"| {folder.name} | {len(lights)} | {len(truth['lights'][0]['stars'])} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
