//! `photosite verify`.

use owo_colors::OwoColorize as _;
use photosite::run::{VERIFY_SCHEMA, Verified, verify_products};
use serde_json::json;

use crate::args::{Limits, VerifyArgs};
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// Makes products again and compares them.
pub fn run(args: VerifyArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::default();
    let context = resolve::context(limits, &progress);
    let products =
        verify_products(&resolve::files(&args.files, None, None)?, &args.inputs, &context)?;
    if args.json {
        let report = json!({ "schema": VERIFY_SCHEMA, "products": products });
        show::json("verify", &report)?;
    } else {
        products.iter().for_each(tell);
    }
    let all = products.iter().all(|p| p.verified);
    Ok(if all { Done::Well } else { Done::WithFindings })
}

fn tell(product: &Verified) {
    let path = super::shown(&product.path);
    let mark = match product.verified {
        true => "verified".green().to_string(),
        false => "not verified".red().to_string(),
    };
    show::line(format_args!("{path}: {mark}: {}", product.message));
}
