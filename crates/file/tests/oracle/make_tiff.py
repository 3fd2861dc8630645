"""Makes the small TIFF files in tests/data/tiff with PyPI tifffile.

    python make_tiff.py ../data/tiff

Sample (x, y) of plane c is (37 x + 101 y + 17 c) mod 251, less 0.5 in floating point.
"""

import sys

import numpy as np
import tifffile

folder = sys.argv[1]
HEIGHT, WIDTH = 37, 29
y, x, c = np.mgrid[0:HEIGHT, 0:WIDTH, 0:3]
whole = (37 * x + 101 * y + 17 * c) % 251


def write(name, data, **how):
    tifffile.imwrite(f"{folder}/{name}.tif", data, metadata=None, **how)


for name, kind in [("u8", "u1"), ("u16", "u2"), ("u32", "u4"), ("f32", "f4"), ("f64", "f8")]:
    data = whole[:, :, 0].astype(kind) - (0.5 if kind[0] == "f" else 0)
    data = data.astype(kind)
    write(name, data, photometric="minisblack")
    write(f"{name}-strips", data, photometric="minisblack", rowsperstrip=5)
grey = whole[:, :, 0].astype("u2")
write("u16-big-endian", grey, byteorder=">", photometric="minisblack", rowsperstrip=4)
write("u16-bigtiff", grey, bigtiff=True, photometric="minisblack")
write("u16-tiles", grey, tile=(16, 16), photometric="minisblack")
write("u16-deflate", grey, compression="zlib", rowsperstrip=8, photometric="minisblack")
write("u16-predictor", grey, compression="zlib", predictor=2, photometric="minisblack")
write("rgb-u16", whole.astype("u2"), photometric="rgb", rowsperstrip=6)
