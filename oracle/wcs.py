"""Prints where astropy.wcs sees three pixels of each header of crates/pix/src/wcs/tests.rs."""

import re

import warnings
from pathlib import Path

import astropy
from astropy.io.fits import Header
from astropy.wcs import WCS

warnings.simplefilter("ignore")
TABLE = Path(__file__).parent.parent / "crates/pix/src/wcs/tests.rs"
PIXELS = [(0.0, 0.0), (1500.25, 100.5), (321.0, 1250.75)]

print("astropy", astropy.__version__)
for case in re.findall(r"    Case \{\n(.*?)\n    \},\n", TABLE.read_text(), re.S):
    header = Header()
    name = re.search(r'name: "(.*)"', case).group(1)
    ctype = re.search(r'ctype: \["(.*)", "(.*)"\]', case).groups()
    header["CTYPE1"], header["CTYPE2"] = ctype
    for key, value in re.findall(r'\("(\w+)", ([-+.\de]+)\)', case):
        header[key] = int(float(value)) if key.endswith("ORDER") else float(value)
    wcs = WCS(header)
    longitude = 0 if ctype[0].startswith("RA") else 1
    print(name)
    for x, y in PIXELS:
        sky = [float(v) for v in wcs.all_pix2world(x, y, 0)]
        print(f"    ({sky[longitude]!r}, {sky[1 - longitude]!r}),")
