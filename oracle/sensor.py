#!/usr/bin/env python3
"""Frames of an independent simulator, measured by the reference program of EMVA 1288 and by Photosite.

    python3 -m venv venv && venv/bin/pip install "numpy<2" "pillow<11" emva1288==1.0.2 getframes astropy
    venv/bin/python oracle/sensor.py target/release/photosite [FOLDER]

Two presets of getframes, cut to 512 x 512 pixels. Flats of growing exposure under one lamp until they
saturate, two of each, darks of the same exposures, and biases.
"""
import json
import logging
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits
from emva1288.process.data import Data1288
from emva1288.process.results import Results1288
from emva1288.process.routines import get_int_imgs
import getframes

logging.disable(logging.CRITICAL)
SIDE = 512
CAMERAS = {
    # Warm enough that the dark current is seen in minutes.
    "andor_ikon_m934": -45.0,
    "zwo_asi2600mm": 20.0,
}


def write(path, frame, kind, exposure, temp):
    header = fits.Header()
    header["IMAGETYP"] = kind
    header["EXPTIME"] = exposure
    header["CCD-TEMP"] = temp
    header["INSTRUME"] = "getframes"
    fits.PrimaryHDU(np.asarray(frame.data if hasattr(frame, "data") else frame).astype(np.uint16), header).writeto(path, overwrite=True)


def main():
    photosite = sys.argv[1]
    base = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(tempfile.mkdtemp())
    for name, temp in CAMERAS.items():
        camera = getframes.Camera.from_preset(name, seed=1)
        camera = camera.with_config(resolution=(SIDE, SIDE))
        config = camera.config
        folder = base / name
        folder.mkdir(parents=True, exist_ok=True)
        seed = iter(range(1, 10_000))
        full = min(config.full_well_e, (65535 - config.bias_offset_adu) * config.gain_e_per_adu)
        unit = 10.0
        rate = full / config.quantum_efficiency / 100.0
        temporal, spatial = {}, {}
        flat = lambda t: camera.flat_frame(rate, t, temp, seed=next(seed))
        dark = lambda t: camera.dark_frame(t, temp, seed=next(seed))
        data = lambda f: np.asarray(f.data if hasattr(f, "data") else f)
        number = 0
        for i in range(10):
            write(folder / f"bias_{i}.fits", camera.bias_frame(temp, seed=next(seed)), "BIAS", 0.0, temp)
        for t in [unit * k for k in (0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12)]:
            flats, darks = [flat(t), flat(t)], [dark(t), dark(t)]
            for f in flats:
                number += 1
                write(folder / f"flat_{number:03}.fits", f, "FLAT", t, temp)
            sums = lambda frames: (lambda s: {"sum": np.sum(s["sum"]), "pvar": np.sum(s["pvar"]), "dmean": s["dmean"]})(get_int_imgs([data(f) for f in frames]))
            temporal[t] = {0.0: sums(darks), rate * t: sums(flats)}
        for t in (60.0, 300.0, 900.0):
            for i in range(4):
                number += 1
                write(folder / f"dark_{number:03}.fits", dark(t), "DARK", t, temp)
        half = 5 * unit
        spatial = {half: {0.0: get_int_imgs([data(dark(half)) for _ in range(16)]),
                          rate * half: get_int_imgs([data(flat(half)) for _ in range(16)])}}
        shape = {"width": SIDE, "height": SIDE, "temporal": temporal, "spatial": spatial}
        reference = Results1288(Data1288(shape, loglevel=logging.ERROR).data, loglevel=logging.ERROR)
        out = subprocess.run([photosite, "sensor", "measure", str(folder), "--json"],
                             capture_output=True, text=True)
        report = json.loads(out.stdout)
        ours = {}
        for m in report["measures"]:
            if m["value"] is not None and m["channel"] is None:
                ours.setdefault((m["name"], m["unit"]), m)
                if m["name"] == "dark_current" and m["unit"] == "e-/s":
                    ours.setdefault((m["method"][:18], m["unit"]), m)
        rows = [
            ("gain 1/K, e-/ADU", config.gain_e_per_adu, lambda: reference.inverse_K, ("gain", "e-/ADU")),
            ("dark noise, e-", config.read_noise_e, lambda: reference.sigma_d, ("read_noise", "e-")),
            ("saturation, e-", full, lambda: reference.u_e_sat, ("saturation", "e-")),
            ("noise-turning level, e-", full, lambda: reference.u_e_sat, ("full_well_turn_off", "e-")),
            ("PRNU, %", None, lambda: reference.PRNU1288, ("prnu", "%")),
            ("DSNU, e-", None, lambda: reference.DSNU1288, ("dsnu", "e-")),
            ("linearity error min, %", 0.0, lambda: reference.LE_min, ("linearity_error_min", "%")),
            ("linearity error max, %", 0.0, lambda: reference.LE_max, ("linearity_error_max", "%")),
            ("dark current by mean, e-/s", None, lambda: reference.u_I_mean / 1e9, ("slope of the level", "e-/s")),
            ("dark current by noise, e-/s", None, lambda: reference.u_I_var / 1e9, ("slope of the noise", "e-/s")),
        ]
        factor = 2 ** ((temp - config.dark_current_ref_temp_c) / config.dark_current_doubling_temp_c)
        print(f"\n{name} at {temp} C; dark current {config.dark_current_e_per_s * factor:.5f} e-/s")
        print("| value | simulated | emva1288 | Photosite, 95 % between |\n|---|---|---|---|")
        for what, truth, value, key in rows:
            try:
                value = value()
                value = value() if callable(value) else value
                value = "none" if value is None else f"{float(value):.5g}"
            except Exception as error:  # the reference gives up on some values
                value = f"none ({type(error).__name__})"
            m = ours.get(key)
            text = "none" if m is None else f"{m['value']:.5g} ({m['low']:.5g} to {m['high']:.5g})" + ("" if m["valid"] else " not valid")
            print(f"| {what} | {'' if truth is None else f'{truth:.5g}'} | {value} | {text} |")


if __name__ == "__main__":
    main()
