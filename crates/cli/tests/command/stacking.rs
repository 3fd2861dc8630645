//! From lights to one picture, as a person does it.

use crate::common::assert_checksums;
use crate::support::{expect, files, json, refused, simulate, stdout, text};

#[test]
fn lights_are_listed_registered_and_stacked() {
    let dir = tempfile::tempdir().unwrap();
    let (night, stack) = (dir.path().join("night"), dir.path().join("stack.fits"));
    simulate(&night, &["--width", "512", "--height", "400", "--lights", "5"]);
    let lights = files(&night.join("lights"));
    let names: Vec<&str> = lights.iter().map(|p| text(p)).collect();

    let stars = json(&expect(0, &["stars", names[0], "--json"]));
    let found = stars["stars"].as_array().unwrap().len();
    assert!(found > 20 && stars["count"] == found, "{found}");
    let csv = stdout(&expect(0, &["stars", names[0], "--csv"]));
    assert_eq!(csv.lines().count(), found + 1);

    let register = json(&expect(0, &[&["register", "--json"], &names[..]].concat()));
    for frame in register["frames"].as_array().unwrap() {
        assert_eq!(frame["used"], true);
        // Raw lights with faint stars; that of bright ones is in the truth tests.
        assert!(frame["residual_px"].as_f64().unwrap() < 0.5, "{frame}");
        assert!(frame["n_matched"].as_u64().unwrap() >= 6);
    }

    let args = ["stack", "-o", text(&stack), "--register", "--maps", "--json"];
    for normalize in ["additive-scale", "equalised-fluxes"] {
        let more = ["--normalize", normalize];
        let account = json(&expect(0, &[&args[..], &more, &names].concat()));
        assert_eq!(account["lights"].as_array().unwrap().len(), 5);
        assert!(account["noise_gain"].as_f64().unwrap() > 1.8, "{account}");
        assert_checksums(&stack);
    }
    // Nothing is written but the stack.
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    refused(&["stack", text(&night), "-o", text(&stack)], &["no light is left"]);
}
