//! What is written opens in astropy, with checksums right and the same pixels.

use std::process::Command;

use photosite_file::fits::{read_frame, read_image};

use crate::common::skip::skip;
use crate::support::{expect, simulate, stderr, stdout, text, visible, write};

/// Opens each file with its checksums verified and every warning an error, and compares the
/// primary, ERR and DQ with the numbers beside it.
const SCRIPT: &str = r#"
import sys, warnings
import numpy as np
from astropy.io import fits
warnings.simplefilter("error")
def same(a, b):
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=True)
for path in sys.argv[1:]:
    with fits.open(path, checksum=True) as f:
        f.verify("exception")
        shape = f[0].data.shape
        assert same(f[0].data.astype("<f4"), np.fromfile(path + ".data", "<f4").reshape(shape)), path
        assert same(f["DQ"].data.astype("<u2"), np.fromfile(path + ".dq", "<u2").reshape(shape)), path
        if "ERR" in f:
            err = np.fromfile(path + ".var", "<f4").reshape(shape)
            assert same((f["ERR"].data.astype("<f4") ** 2).astype("<f4"), err), path
        for hdu in f:
            assert "CHECKSUM" in hdu.header and "DATASUM" in hdu.header, (path, hdu.name)
        roles = [r.strip() for r in f["PROVENANCE"].data["ROLE"]]
        assert "key" in roles and any(r.startswith("input ") for r in roles), roles
        assert any("Photosite" in str(h) for h in f[0].header["HISTORY"]), path
print("compared", len(sys.argv) - 1)
"#;

/// Whether astropy is here.
#[track_caller]
fn astropy() -> bool {
    let found = Command::new("python3").args(["-c", "import astropy, numpy"]).output();
    let there = found.is_ok_and(|o| o.status.success());
    if !there {
        skip("astropy", "python3 has no astropy");
    }
    there
}

#[test]
fn products_open_in_astropy_with_the_same_pixels() {
    if !astropy() {
        return;
    }
    for (preset, format) in [("cmos-mono", "f32"), ("cmos-osc", "f32"), ("ccd", "u16")] {
        let dir = tempfile::tempdir().unwrap();
        let (night, out) = (dir.path().join("night"), dir.path().join("out"));
        simulate(&night, &["--preset", preset]);
        expect(0, &["run", "--no-stack", text(&night), "-o", text(&out), "--format", format]);
        let fits: Vec<_> = visible(&out)
            .into_iter()
            .filter(|p| p.extension().is_some_and(|e| e == "fits"))
            .collect();
        assert_eq!(fits.len(), 4 + 3);
        for path in &fits {
            let (frame, _) = read_frame(path).unwrap();
            let (image, _) = read_image(path).unwrap();
            let floats =
                |v: &[f32]| -> Vec<u8> { v.iter().flat_map(|v| v.to_le_bytes()).collect() };
            let beside = |ending: &str| std::path::PathBuf::from(format!("{}{ending}", text(path)));
            write(&beside(".data"), &floats(image.as_slice()));
            let bits: Vec<u8> =
                frame.mask.as_slice().iter().flat_map(|m| m.bits().to_le_bytes()).collect();
            write(&beside(".dq"), &bits);
            if let Some(variance) = &frame.variance {
                write(&beside(".var"), &floats(variance.as_slice()));
            }
        }
        let output = Command::new("python3").args(["-c", SCRIPT]).args(&fits).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        println!("{preset} {format}: {}", stdout(&output).trim());
    }
}
