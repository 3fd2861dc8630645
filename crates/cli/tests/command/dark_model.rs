//! `dark-model`.

use crate::support::{expect, json, refused, simulate, stdout, text};

#[test]
fn a_model_is_built_shown_and_makes_a_dark_that_calibrates() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    for t in ["60", "120", "300"] {
        simulate(&path(t), &["--preset", "ccd", "--dark-exposure", t]);
    }
    let model = path("model.fits");
    let darks = ["60/darks", "60/bias", "120/darks", "300/darks"].map(path);
    let mut args = vec!["dark-model", "build", "-o", text(&model), "--json"];
    args.extend(darks.iter().map(|p| text(p)));
    let built = json(&expect(0, &args));
    assert_eq!(built["model"]["schema"], "photosite-dark-model/1");
    assert_eq!(built["model"]["masters"].as_array().unwrap().len(), 4);
    let told = json(&expect(0, &["dark-model", "report", text(&model), "--json"]));
    assert_eq!(told, built["model"]);
    let shown = stdout(&expect(0, &["dark-model", "report", text(&model)]));
    for word in ["rate at", "doubles every", "glow", "level", "R2", "300 s"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    let temp = told["ref_temp_c"].to_string();
    let dark = path("dark.fits");
    let make = |t: &str, c: &str| {
        ["dark-model", "synthesize", text(&model), "--exposure", t, "--temp", c, "-o", text(&dark)]
            .map(str::to_owned)
    };
    let run = |args: &[String]| expect(0, &args.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(stdout(&run(&make("200", &temp))).contains("written"));
    assert!(stdout(&run(&make("200", &temp))).contains("exists already"));
    for (t, c, words) in
        [("1200", temp.as_str(), "take darks of 1200 s"), ("200", "40", "all of one temperature")]
    {
        let args = make(t, c);
        refused(&args.iter().map(String::as_str).collect::<Vec<_>>(), &[words]);
    }
    let light = crate::support::files(&path("60/lights")).remove(0);
    let out = path("out");
    expect(0, &["calibrate", text(&light), "-o", text(&out), "--dark", text(&dark)]);
    refused(&["dark-model", "report", text(&dark)], &["is no dark model"]);
    refused(&["dark-model", "build", "-o", text(&model), text(&darks[0])], &["1 exposures"]);
}
