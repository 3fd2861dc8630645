//! The `photosite` command.

fn main() {}
