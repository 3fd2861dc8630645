//! Calibrates one frame in memory and writes it: `one_frame LIGHT DARK FLAT OUT`.

use photosite::{Calibration, RawFrame};

fn main() -> photosite::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [light, dark, flat, out] = &args[..] else {
        eprintln!("one_frame LIGHT DARK FLAT OUT");
        return Ok(());
    };
    let set = Calibration::new().dark(dark)?.flat(flat)?;
    let light = set.calibrate(&RawFrame::from_file(light)?)?;
    let steps = light.steps.join(", ");
    println!("{steps}; {} pixels repaired", light.repaired);
    light.write(out)
}
