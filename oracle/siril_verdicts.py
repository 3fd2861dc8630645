#!/usr/bin/env python3
"""What `photosite diagnose` says of lights that Siril calibrated, rightly and wrongly.

    oracle/siril_verdicts.py [--photosite target/release/photosite]

One simulated night through `siril-cli`: as it should be, with the bias subtracted twice, with a dark of twice the
exposure, without a dark, without a flat, and with a flat from which no bias was taken. Needs Siril 1.0 and python3
with numpy and astropy. README.md in this folder has the answers.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits

ROOT = Path(__file__).resolve().parent.parent
SIZE = ["--width", "1000", "--height", "800", "--seed", "7"]
WAYS = {
    "right": ("-dark=dark_stacked -flat=pp_flat_stacked", "dark", {None}),
    "bias twice": ("-bias=bias_stacked -dark=dark_stacked -flat=pp_flat_stacked", "dark", {"bias-twice"}),
    "dark of 120 s": ("-dark=long_stacked -flat=pp_flat_stacked", "long", {"thermal-over", "glow-left"}),
    "no dark": ("-bias=bias_stacked -flat=pp_flat_stacked", "dark", {"thermal-under", "glow-left"}),
    "no flat": ("-dark=dark_stacked", "dark", {"flat-not-applied"}),
    "bias left in the flat": ("-dark=dark_stacked -flat=flat_stacked", "dark", {"flat-additive"}),
}


def fainter_flats(folder):
    """Flats of an eighth of the light: what is left in them is not little beside it."""
    bias = np.median(fits.getdata(next((folder / "bias").glob("*.fits"))))
    for path in (folder / "flats").glob("*.fits"):
        with fits.open(path, mode="update") as file:
            level = bias + (file[0].data.astype(float) - bias) / 8.0
            file[0].data = np.round(level).astype(np.uint16)


def script(folder):
    lines = ["requires 1.0.0", "set32bits"]
    for kind, frames in [("bias", "n/bias"), ("dark", "n/darks"), ("flat", "n/flats"), ("light", "n/lights"),
                         ("long", "n2/darks")]:
        lines += [f'cd "{folder / frames}"', f'convert {kind} "-out={folder / "p"}"']
    lines.append(f'cd "{folder / "p"}"')
    lines += [f"stack {kind} rej 3 3 -nonorm" for kind in ("bias", "dark", "long")]
    lines += ["preprocess flat -bias=bias_stacked", "stack pp_flat rej 3 3 -norm=mul", "stack flat rej 3 3 -norm=mul"]
    lines += [f"preprocess light {how} -prefix=w{i}_" for i, (how, _, _) in enumerate(WAYS.values())]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photosite", default=ROOT / "target/release/photosite", type=Path)
    photosite = parser.parse_args().photosite

    def run(*words):
        return subprocess.run([photosite, *map(str, words)], check=False, capture_output=True, text=True).stdout

    wrong = 0
    for preset in ("cmos-mono", "ccd"):
        with tempfile.TemporaryDirectory() as room:
            folder = Path(room)
            few = ["--preset", preset, "--lights", 3, "--dark-flats", 0, "--flats", 10, "--bias", 10, "--darks", 10]
            run("simulate", "-o", folder / "n", *SIZE, *few)
            exposure = fits.getheader(next((folder / "n/lights").glob("*.fits")))["EXPTIME"]
            run("simulate", "-o", folder / "n2", *SIZE, *few, "--dark-exposure", 2 * exposure)
            fainter_flats(folder / "n")
            (folder / "p").mkdir()
            (folder / "all.ssf").write_text(script(folder))
            subprocess.run(["siril-cli", "-s", folder / "all.ssf"], check=True, capture_output=True)
            masters = {kind: folder / f"{kind}.fits" for kind in ("bias", "dark", "long", "flat")}
            run("master", "bias", folder / "n/bias", "-o", masters["bias"])
            run("master", "dark", folder / "n/darks", "-o", masters["dark"])
            run("master", "dark", folder / "n2/darks", "-o", masters["long"])
            run("master", "flat", folder / "n/flats", "--bias", masters["bias"], "-o", masters["flat"])
            for i, (name, (_, dark, right)) in enumerate(WAYS.items()):
                light = folder / "p" / f"w{i}_light_00001.fit"
                told = run("diagnose", light, "--bias", masters["bias"], "--dark", masters[dark], "--flat",
                           masters["flat"], "--json")
                light = json.loads(told)["lights"][0]
                first = light["findings"][0]["code"] if light["findings"] else None
                wrong += first not in right
                print(f"{preset:10} {name:22} {light['verdict']:7} {first or 'nothing'}")
    return wrong


if __name__ == "__main__":
    raise SystemExit(main())
