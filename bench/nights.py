#!/usr/bin/env python3
"""Random bad nights through Photosite, Siril and seiza: how many lights each uses, and what stars come out as.

    PHOTOSITE_NIGHTS_IN=NIGHTS cargo test --release -p photosite --test numbers nights_as_files -- --ignored
    bench/nights.py NIGHTS [--program PATH] [--siril siril-cli] [--seiza seiza]

NIGHTS gets twenty folders of calibrated lights without an array, with the truth of each. A stack is held
against the light on whose pixels it lies; where several fit, against that whose level is nearest. `flux` is the
median over stars of what lies within an aperture, over the truth, less 1, and its error; `scatter` what they
differ by among each other beyond their noise, which no level changes. Programs that are missing are said to be.
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
    done = subprocess.run([program, "stack", "--register", *lights, "-o", out, "--json"], capture_output=True, text=True)
    if not out.exists():
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


def apertures(data, truth, stars, radius, rim=8.0):
    """What stars are in a picture over what they are in the truth, and the errors; of those above ten errors."""
    reach = int(radius + rim + 4)
    b, a = np.mgrid[-reach:reach + 1, -reach:reach + 1]
    ratios, errors = [], []
    for x, y in stars:
        i, j = round(x), round(y)
        if min(i, j) < reach or i + reach >= data.shape[1] or j + reach >= data.shape[0]:
            continue
        away = np.hypot(a - (x - i), b - (y - j))
        share = np.clip(radius + 0.5 - away, 0, 1)
        ring = (away > radius + 3) & (away < radius + rim + 3)
        seen, right = (p[j - reach:j + reach + 1, i - reach:i + reach + 1] for p in (data, truth))
        if not np.isfinite(seen[away < radius + rim + 3]).all():
            continue
        noise = 1.4826 * np.median(np.abs(seen[ring] - np.median(seen[ring])))
        flux, wanted = ((share * (p - np.median(p[ring]))).sum() for p in (seen, right))
        # The ring's level is a median, and is taken off every pixel of the aperture.
        noise *= np.sqrt(share.sum() + 1.57 * share.sum() ** 2 / ring.sum())
        if 0 < 10 * noise < flux and wanted > 0:
            ratios.append(flux / wanted)
            errors.append(noise / wanted)
    return np.array(ratios), np.array(errors)


def measure(data, folder, lights):
    """Median flux over truth less 1, its error, the scatter beyond noise, and the stars.

    Of the lights on whose pixels it may lie, that whose level is nearest counts: in the program's favour.
    """
    data = np.squeeze(np.asarray(data, float))
    radius = max(4.0, 1.5 * max(light["fwhm_px"] for light in lights))
    found = []
    for i, light in enumerate(lights):
        truth = fits.getdata(folder / f"truth_{i:02}.fits").astype(float)
        if data.ndim != 2 or data.shape != truth.shape:
            continue
        ratios, errors = apertures(data, truth, light["stars"], radius)
        if len(ratios):
            found.append((np.sum(ratios / errors), ratios, errors))
    best = max((score for score, _, _ in found), default=0)
    told = []
    for score, ratios, errors in found:
        if score < 0.9 * best:
            continue
        # Programs that store 0..1 mean 65535.
        unit = 65535 if abs(np.median(ratios)) < 1e-3 else 1
        ratios, errors = unit * ratios, unit * errors
        mean = np.median(ratios)
        error = np.sqrt(np.pi / 2 / np.sum(1 / (errors**2 + 0.01**2)))
        scatter = 1.4826 * np.median(np.abs(ratios - mean)) if len(ratios) > 3 else np.nan
        beyond = np.sqrt(max(scatter**2 - np.median(errors) ** 2, 0.0))
        told.append((mean - 1, error, beyond, len(ratios)))
    return min(told, key=lambda t: abs(t[0]), default=None)


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
                found = measure(data, folder, truth["lights"])
            told = "no star" if found is None else "{:+.1%} ± {:.1%}, {:.1%} of {}".format(*found)
            cells.append(f"{used}, {told}")
        print(f"| {folder.name} | {len(lights)} | {len(truth['lights'][0]['stars'])} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
