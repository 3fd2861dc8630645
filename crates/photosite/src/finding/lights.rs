//! The codes of lights that are seen and chosen: what each means, and what to do.

use super::Severity::{Error, Info, Warning};
use super::code::{Code, code};

/// By name.
pub(super) const LIGHTS: &[Code] = &[
    code(
        "exclude-matches-nothing",
        Warning,
        "A pattern of --exclude matches no file.",
        "Write a pattern of file names, or with / of the end of paths.",
    ),
    code("frame-excluded", Info, "A file was left out by --exclude.", "No action needed."),
    code(
        "light-left-out",
        Info,
        "A light was left out by --select, --keep-best or --reject-lights.",
        "No action needed; the message names its value.",
    ),
    code(
        "light-outlier",
        Warning,
        "A light is not like the others of its stack: wider or longer stars, a brighter sky, less light, or a place that is badly known. Its weight follows its noise, flux and sharpness.",
        "Inspect it; leave it out with --exclude, --select or --keep-best if it is bad.",
    ),
    code(
        "lights-cut-off",
        Warning,
        "Lights lie for a good part beside their picture, as panels of a mosaic under one name do.",
        "Give each panel a run or an OBJECT of its own, or name the light that shows it all with --reference.",
    ),
    code(
        "selection-leaves-nothing",
        Error,
        "What was asked to be left out leaves too few lights for a stack; none is made.",
        "Ask for less; the table of lights has the numbers.",
    ),
    code(
        "selection-not-known",
        Info,
        "What a selection leaves out cannot be foretold: the lights were not measured yet.",
        "Run once without it; then a dry run shows it.",
    ),
];
