"""Says what astropy reads in the FITS files of a folder: numbers only, no pixels.

    python expect.py FOLDER OUT.json

Run over ../shared/data it makes ../real.json; make_samples.py runs it over ../data.
"""

import json
import os
import sys
import warnings
import zlib

import astropy
import numpy as np
from astropy.io import fits

NAMES = (".fits", ".fit", ".fts", ".fz", ".fits.gz")


def numbers(path):
    """What is compared; crc32 is over the samples as little-endian f32, each NaN as 0x7fc00000."""
    with fits.open(path) as hdus:
        hdu = next(h for h in hdus if h.is_image and h.header["NAXIS"] > 0)
        data = hdu.data
        axes = list(data.shape[::-1])
        if hdu._orig_bscale not in (1, None) and hdu._orig_bitpix > 0:
            # astropy scales short integers in 32 bits; the standard's formula is meant.
            with fits.open(path, do_not_scale_image_data=True) as raw:
                data = hdu._orig_bzero + hdu._orig_bscale * raw[hdus.index(hdu)].data.astype("f8")
        flat = np.asarray(data, dtype=np.float64).astype("<f4").ravel()
        index = hdus.index(hdu)
    nan = np.isnan(flat)
    good = flat[~nan].astype(np.float64)
    bits = flat.view("<u4").copy()
    bits[nan] = 0x7FC00000
    return {
        "hdu": index,
        "axes": axes,
        "nan": int(nan.sum()),
        "min": float(good.min()),
        "max": float(good.max()),
        "sum": float(good.sum()),
        "first": None if nan[0] else float(flat[0]),
        "last": None if nan[-1] else float(flat[-1]),
        "crc32": zlib.crc32(bits.tobytes()),
    }


def write_expected(folder, out):
    warnings.simplefilter("ignore")
    files = {}
    for root, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if not name.lower().endswith(NAMES):
                continue
            path = os.path.join(root, name)
            if name.startswith("plio"):
                # Mask lists: unsigned images in them are read differently by everyone.
                files[os.path.relpath(path, folder)] = {"error": "refused"}
                continue
            try:
                files[os.path.relpath(path, folder)] = numbers(path)
            except Exception as e:
                files[os.path.relpath(path, folder)] = {"error": type(e).__name__}
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in files.items())
    with open(out, "w") as f:
        f.write(f'{{"astropy": "{astropy.__version__}", "numpy": "{np.__version__}", "files": {{\n')
        f.write(lines + "\n}}\n")


if __name__ == "__main__":
    write_expected(sys.argv[1], sys.argv[2])
