"""Makes the small FITS files of tests/data, and expected.json with what astropy reads in them.

    python make_samples.py            needs astropy, numpy, and fpack (CFITSIO) on the path

Pixels come from a formula with a fixed seed; no real frame is in here.
"""

import gzip
import os
import subprocess

import numpy as np
from astropy.io import fits
from expect import write_expected

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data")
W, H = 40, 30
rng = np.random.default_rng(20261121)
y, x = np.mgrid[0:H, 0:W]
SKY = 1200 + 3 * x + 2 * y
STAR = 40000 * np.exp(-((x - 20) ** 2 + (y - 15) ** 2) / 8)
U16 = np.clip(SKY + STAR + rng.normal(0, 20, (H, W)), 0, 65535).astype(np.uint16)
I16 = (U16.astype(np.int32) // 4 - 3000).astype(np.int16)
F32 = (SKY * 0.01 + STAR / 1000 + rng.normal(0, 0.3, (H, W))).astype(np.float32)
NAN = F32.copy()
NAN[3, 4] = np.nan
NAN[10, :7] = np.nan
ZERO = F32.copy()
ZERO[5, 5:9] = 0.0


def path(name):
    return os.path.join(OUT, name)


def save(name, hdus):
    fits.HDUList(hdus).writeto(path(name), overwrite=True)


def plain(name, data, **cards):
    hdu = fits.PrimaryHDU(data)
    for k, v in cards.items():
        hdu.header[k] = v
    save(name, [hdu])


def astropy_tiled(name, data, **kw):
    hdu = fits.CompImageHDU(data, **kw)
    hdu.header["OBJECT"] = "formula"
    save(name, [fits.PrimaryHDU(), hdu])


def fpack(name, data, *options):
    source = path("tmp.fits")
    hdu = fits.PrimaryHDU(data)
    hdu.header["OBJECT"] = "formula"
    hdu.header["ZENITH"] = (12.5, "not a compression keyword")
    hdu.writeto(source, overwrite=True)
    with open(path(name), "wb") as f:
        subprocess.run(["fpack", "-S", *options, source], check=True, stdout=f)
    os.remove(source)


os.makedirs(OUT, exist_ok=True)
plain("u8.fits", (U16 // 256).astype(np.uint8))
plain("i16.fits", I16)
plain("u16.fits", U16)
plain("i32.fits", U16.astype(np.int32) * 30000)
plain("u32.fits", U16.astype(np.uint32) * 60000)
plain("i64.fits", U16.astype(np.int64) * 10**10)
plain("f32.fits", NAN)
plain("f64.fits", NAN.astype(np.float64) / 3)
plain("cube.fits", np.stack([U16, U16 + 1, U16 + 2]))
plain("four-axes.fits", U16.reshape(1, 1, H, W))
blank = fits.PrimaryHDU(I16.copy())
blank.header["BLANK"] = int(I16[2, 2])
save("blank.fits", [blank])
scaled = fits.PrimaryHDU(F32.astype(np.float64))
scaled.scale("int16", bscale=0.003, bzero=17.25)
save("scaled.fits", [scaled])
save("extension.fits", [fits.PrimaryHDU(), fits.ImageHDU(U16, name="SCI"), fits.ImageHDU(F32)])
with open(path("u16.fits"), "rb") as f, open(path("u16.fits.gz"), "wb") as g:
    g.write(gzip.compress(f.read(), mtime=0))

fpack("rice-u16.fits.fz", U16, "-r")
fpack("rice-i16.fits.fz", I16, "-r")
fpack("rice-u8.fits.fz", (U16 // 256).astype(np.uint8), "-r")
fpack("rice-i32.fits.fz", U16.astype(np.int32) * 3000, "-r")
fpack("rice-tiles-u16.fits.fz", U16, "-r", "-t", "16,7")
fpack("rice-cube-u16.fits.fz", np.stack([U16, U16 + 1, U16 + 2]), "-r", "-t", "40,5,2")
fpack("rice-f32.fits.fz", NAN, "-r", "-q", "8")
fpack("rice-f32-zeros.fits.fz", ZERO, "-r", "-qz", "8")
fpack("rice-f32-undithered.fits.fz", NAN, "-r", "-q0", "8")
fpack("gzip1-u16.fits.fz", U16, "-g1")
fpack("gzip2-u16.fits.fz", U16, "-g2")
fpack("gzip1-f32.fits.fz", NAN, "-g1", "-q", "0")
fpack("gzip2-f32.fits.fz", NAN, "-g2", "-q", "0")
fpack("gzip2-f32-quantized.fits.fz", NAN, "-g2", "-q", "8")
fpack("gzip2-f64.fits.fz", NAN.astype(np.float64) / 3, "-g2", "-q", "0")
fpack("rice-f64.fits.fz", NAN.astype(np.float64) / 3, "-r", "-q", "8")
fpack("hcompress-u16.fits.fz", U16, "-h")
fpack("hcompress-lossy-i16.fits.fz", I16, "-h", "-s", "4")
fpack("hcompress-f32.fits.fz", F32, "-h", "-q", "8")
fpack("hcompress-empty.fits.fz", np.zeros((H, W), np.int16), "-h")
fpack("rice-constant-f32.fits.fz", np.full((H, W), 2.5, np.float32), "-r", "-q", "8")
fpack("plio-i16.fits.fz", (I16 % 7).astype(np.int16) ** 2 % 5, "-p")
astropy_tiled("astropy-rice-u16.fits", U16, compression_type="RICE_1", tile_shape=(8, 16))
astropy_tiled("astropy-hcompress-i32.fits", U16.astype(np.int32), compression_type="HCOMPRESS_1",
              hcomp_scale=2, hcomp_smooth=True, tile_shape=(16, 40))
astropy_tiled("astropy-rice-f32-dither1.fits", NAN, compression_type="RICE_1",
              quantize_level=16, quantize_method=1, dither_seed=77)
astropy_tiled("astropy-none-i16.fits", I16, compression_type="NOCOMPRESS")
blank = fits.CompImageHDU(I16, compression_type="RICE_1")
blank.header["BLANK"] = int(I16[2, 2])
save("astropy-rice-blank.fits", [fits.PrimaryHDU(), blank])

write_expected(OUT, os.path.join(OUT, "expected.json"))
