"""Looks at what we write with astropy and fitsverify.

    python check_output.py REWRITE IN.fits...     REWRITE: the built example `rewrite`

Fails when astropy warns of anything it does not also warn of in the input, a checksum is wrong,
pixels differ, a carried card is not verbatim, or fitsverify (if there) finds an error.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings

import numpy as np
from astropy.io import fits



def errors(path):
    """How many errors fitsverify finds."""
    told = subprocess.run(["fitsverify", "-e", path], capture_output=True, text=True)
    return int(re.search(r"and (\d+) error", told.stdout).group(1))


rewrite, *inputs = sys.argv[1:]
bad = 0
for path in inputs:
    for mode in ([], ["u16"]):
        with tempfile.TemporaryDirectory() as tmp:
            out = os.path.join(tmp, "out.fits")
            run = subprocess.run([rewrite, path, out, *mode], capture_output=True, text=True)
            if run.returncode:
                print(path, "not rewritten:", run.stderr.strip())
                continue
            problems = []
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                with fits.open(out, checksum=True) as ours:
                    names = [h.name for h in ours]
                    if names[1:] != ["DQ", "ERR", "PROVENANCE"]:
                        problems.append(f"units {names}")
                    data = np.asarray(ours[0].data, dtype="f8")
                    dq = ours["DQ"].data
                    err = ours["ERR"].data
                    text = list(ours["PROVENANCE"].data["text"])
                    value = ours["PROVENANCE"].data["value"]
                    cards = [c.image for c in ours[0].header.cards]
                problems += [f"astropy: {w.message}" for w in caught]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with fits.open(path) as theirs:
                    hdu = next(h for h in theirs if h.is_image and h.header["NAXIS"] > 0)
                    scaled = hdu._orig_bscale not in (1, None) and hdu._orig_bitpix > 0
                    if scaled:  # astropy scales short integers in 32 bits
                        print("skip", path, "scaled integers")
                        continue
                    was = np.asarray(hdu.data, dtype="f8").astype("f4").reshape(data.shape)
                    raw = open(path, "rb").read() if hdu is theirs[0] else b""
            if mode:
                expected = np.clip(np.rint(was.astype("f8") + 100), 0, 65535)
                expected[np.isnan(was)] = 0
                same = np.array_equal(data, expected)
            else:
                same = np.array_equal(data.astype("f4"), was, equal_nan=True)
            if not same:
                problems.append("pixels differ")
            if not np.array_equal(dq != 0, ~np.isfinite(was)) or dq.dtype != np.uint16:
                problems.append(f"mask differs, {dq.dtype}")
            variance = (np.fmax(was, 0) / np.float32(1.5) + 4).astype("f4")
            if not np.allclose(err, np.sqrt(variance), rtol=1e-6, equal_nan=True):
                problems.append("ERR differs")
            if text != [path, ""] or not (np.isnan(value[0]) and value[1] == 0.1):
                problems.append(f"table differs: {text}")
            blob = open(out, "rb").read()
            for at in range(0, len(raw) - 79, 80):
                card = raw[at : at + 80]
                if card.startswith(b"END "):
                    break
                key = card[:8].strip().decode("latin1")
                if key.startswith(("SIMPLE", "BITPIX", "NAXIS", "EXTEND", "BZERO", "BSCALE", "BUNIT",
                                   "CHECKSUM", "DATASUM", "BLANK", "PCOUNT", "GCOUNT", "INHERIT")):
                    continue
                if (mode and key == "PEDESTAL") or any(b < 32 or b > 126 for b in card):
                    continue
                if card not in blob:
                    problems.append(f"card lost: {card}")
            if shutil.which("fitsverify"):
                # What is wrong in a carried card is wrong in both.
                count = errors(out) - (errors(path) if raw else 0)
                if count > 0:
                    problems.append(f"fitsverify: {count} new errors")
            bad += bool(problems)
            print("bad" if problems else "ok ", os.path.basename(path), *mode, *problems, sep="  ")
sys.exit(bad > 0)
