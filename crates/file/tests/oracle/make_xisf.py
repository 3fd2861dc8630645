"""Makes the small XISF files in tests/data/xisf with PyPI xisf 0.9.7.

    python make_xisf.py ../data/xisf

Sample (x, y) of plane c is (37 x + 101 y + 17 c) mod 251; floating point: that / 65535.
"""

import sys

import numpy as np
from xisf import XISF

folder = sys.argv[1]
HEIGHT, WIDTH = 11, 13
y, x, c = np.mgrid[0:HEIGHT, 0:WIDTH, 0:3]
whole = (37 * x + 101 * y + 17 * c) % 251

keywords = {
    "EXPTIME": [{"value": "60.0", "comment": "[s] exposure"}],
    "OBJECT": [{"value": "'O''Neill'", "comment": ""}],
    "HISTORY": [{"value": "", "comment": "made by hand"}],
}
properties = {
    "Instrument:Camera:Name": {"id": "Instrument:Camera:Name", "type": "String", "value": "Cam"},
    "Instrument:Sensor:Temperature": {
        "id": "Instrument:Sensor:Temperature", "type": "Float32", "value": -10.5,
    },
}


def write(name, data, **how):
    metadata = {"FITSKeywords": keywords, "XISFProperties": properties}
    XISF.write(f"{folder}/{name}.xisf", data, image_metadata=metadata, **how)


for name, kind in [("u8", "u1"), ("u16", "u2"), ("u32", "u4"), ("f32", "f4"), ("f64", "f8")]:
    data = whole[:, :, :1].astype(kind)
    if kind[0] == "f":
        data = (data / 65535).astype(kind)
    write(name, data)
    for codec in ["zlib", "lz4", "lz4hc", "zstd"]:
        for shuffle in [False, True] if kind in ("u2", "f4") else [True]:
            write(f"{name}-{codec}{'-sh' if shuffle else ''}", data, codec=codec, shuffle=shuffle)
write("rgb-u16", whole.astype("u2"))
