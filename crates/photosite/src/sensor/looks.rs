//! The plots of a page on a sensor: what each is of, and how it is drawn.

/// What a plot is of, and how it is drawn.
pub struct Look {
    /// The name by which series belong to it.
    pub plot: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What its x axis shows.
    pub x: &'static str,
    /// What its y axis shows.
    pub y: &'static str,
    /// The axes run in powers of ten.
    pub log: (bool, bool),
    /// Points are joined.
    pub joined: bool,
}

const fn look(
    plot: &'static str,
    title: &'static str,
    (x, y): (&'static str, &'static str),
    log: (bool, bool),
    joined: bool,
) -> Look {
    Look { plot, title, x, y, log, joined }
}

/// The plots, in the order of a page.
pub const LOOKS: &[Look] = &[
    look(
        "photon_transfer",
        "Photon transfer",
        ("signal above bias, ADU", "noise variance, ADU\u{b2}"),
        (true, true),
        false,
    ),
    look(
        "photon_transfer_amplifiers",
        "Photon transfer of each amplifier",
        ("signal above bias, ADU", "noise variance, ADU\u{b2}"),
        (true, true),
        false,
    ),
    look("snr", "Signal to noise", ("signal, e-", "signal to noise"), (true, true), true),
    look("linearity", "Linearity", ("exposure, s", "signal above bias, ADU"), (false, false), true),
    look(
        "linearity_residual",
        "Deviation from linearity",
        ("signal above bias, ADU", "deviation, %"),
        (false, false),
        true,
    ),
    look(
        "shutter",
        "What the shutter takes off exposures",
        ("place, from -1 at the first edge to 1 at the last", "dead time, s"),
        (false, false),
        true,
    ),
    look(
        "dark_level",
        "Dark level",
        ("exposure, s", "level above bias, ADU"),
        (false, false),
        true,
    ),
    look(
        "dark_noise",
        "Noise of darks",
        ("exposure, s", "noise variance, ADU\u{b2}"),
        (false, false),
        true,
    ),
    look(
        "arrhenius",
        "Dark current against temperature",
        ("temperature, C", "dark current, ADU/s or ADU\u{b2}/s"),
        (false, true),
        true,
    ),
    look(
        "dark_histogram",
        "Dark current of pixels",
        ("dark current above the block's median, ADU/s", "pixels"),
        (true, true),
        true,
    ),
    look(
        "dark_accumulated",
        "Dark current of pixels, accumulated",
        ("dark current above the block's median, ADU/s", "pixels above"),
        (true, true),
        true,
    ),
    look(
        "read_noise_histogram",
        "Read noise of pixels",
        ("noise over the biases, ADU", "pixels"),
        (true, true),
        true,
    ),
    look(
        "read_noise_accumulated",
        "Read noise of pixels, accumulated",
        ("noise over the biases, ADU", "pixels above"),
        (true, true),
        true,
    ),
    look(
        "tones",
        "Periodic patterns",
        ("cycles a pixel along x", "amplitude"),
        (false, false),
        false,
    ),
    look(
        "response_histogram",
        "Response of pixels",
        ("response beside that of the block", "pixels"),
        (false, true),
        true,
    ),
    look(
        "response_accumulated",
        "Response of pixels, accumulated",
        ("deviation from the block, %", "pixels that deviate as much or more"),
        (true, true),
        true,
    ),
    look(
        "spectrum",
        "Noise of biases by frequency",
        ("cycles a pixel", "noise, ADU"),
        (false, true),
        true,
    ),
    look(
        "bias_profile",
        "Profile of biases",
        ("column or row", "mean beside the sensor's, ADU"),
        (false, false),
        true,
    ),
    look(
        "flat_profile",
        "Profile of the brightest flats",
        ("column or row", "mean beside the sensor's"),
        (false, false),
        true,
    ),
    look(
        "persistence",
        "What saturated pixels still hold",
        ("seconds after saturation", "above other pixels, e- or ADU"),
        (false, false),
        true,
    ),
];
