//! Names of files by pattern.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A pattern of file names: `*` is any text, `?` any character, `[a-f]` one of these, `[!a-f]` none of
/// them. With a `/` it is one of the end of a path, folder by folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Glob(String);

impl FromStr for Glob {
    type Err = Error;

    /// # Errors
    /// When it is empty, or a bracket in it does not end.
    fn from_str(text: &str) -> Result<Self> {
        let unfit = |why: &str| Err(Error::parameters(format!("the pattern {text:?} {why}")));
        if text.trim_matches('/').is_empty() {
            return unfit("matches no file; write for example '*_0007*'");
        }
        let mut rest: &[char] = &text.chars().collect::<Vec<_>>();
        while let [first, more @ ..] = rest {
            rest = match (first, set(rest)) {
                ('[', None) => return unfit("has a \"[\" without \"]\""),
                ('[', Some((_, length))) => &rest[length..],
                _ => more,
            };
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Glob {
    /// Whether a file is one of these.
    pub fn matches(&self, path: &Path) -> bool {
        let wanted: Vec<&str> = self.0.split('/').filter(|p| !p.is_empty()).collect();
        let names: Vec<_> = path.components().map(|c| c.as_os_str().to_string_lossy()).collect();
        let Some(skipped) = names.len().checked_sub(wanted.len()) else { return false };
        let alike = |(wanted, name): (&&str, &std::borrow::Cow<'_, str>)| {
            let (wanted, name): (Vec<char>, Vec<char>) =
                (wanted.chars().collect(), name.chars().collect());
            is_like(&wanted, &name)
        };
        wanted.iter().zip(&names[skipped..]).all(alike)
    }
}

/// The characters of a set at the beginning, and how long it is: whether one is in it.
fn set(pattern: &[char]) -> Option<(impl Fn(char) -> bool + '_, usize)> {
    let [first, rest @ ..] = pattern else { return None };
    if *first != '[' {
        return None;
    }
    let none = matches!(rest.first(), Some('!' | '^'));
    let inside = &rest[usize::from(none)..];
    // A bracket that comes first is one of the set.
    let end = 1 + inside.iter().skip(1).position(|c| *c == ']')?;
    let members = &inside[..end];
    let holds = move |c: char| {
        let mut found = false;
        let mut i = 0;
        while i < members.len() {
            if let [from, '-', to, ..] = members[i..] {
                found |= (from..=to).contains(&c);
                i += 3;
            } else {
                found |= members[i] == c;
                i += 1;
            }
        }
        found != none
    };
    Some((holds, 2 + usize::from(none) + end))
}

/// Whether a name is of a pattern; the last star that was met takes as much as the rest needs.
fn is_like(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, n));
                p += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') => {
                set(&pattern[p..]).filter(|(holds, _)| holds(name[n])).map(|(_, length)| length)
            }
            Some(c) if *c == name[n] => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(step), _) => (p, n) = (p + step, n + 1),
            (None, Some((after, from))) => {
                star = Some((after, from + 1));
                (p, n) = (after, from + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_matched_by_pattern() {
        for (glob, path, expected) in [
            ("*_0007*", "night/lights/M31_0007.fits", true),
            ("*_0007*", "night_0007/lights/M31_0008.fits", false),
            ("M31_000?.fits", "a/M31_0007.fits", true),
            ("M31_000?.fits", "a/M31_00017.fits", false),
            ("M31_000[5-7].fits", "M31_0006.fits", true),
            ("M31_000[!5-7].fits", "M31_0006.fits", false),
            ("[]x]*", "]a", true),
            ("clouds/*", "night/clouds/a.fits", true),
            ("clouds/*", "night/clear/a.fits", false),
            ("clouds/*", "a.fits", false),
            ("*", "a.fits", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("a.fits", "night/a.fits", true),
            ("A.fits", "night/a.fits", false),
        ] {
            let found = glob.parse::<Glob>().unwrap().matches(Path::new(path));
            assert_eq!(found, expected, "{glob} {path}");
        }
        for bad in ["", "/", "a[bc"] {
            assert!(bad.parse::<Glob>().is_err(), "{bad}");
        }
        // Many stars take no time without end.
        let glob: Glob = "*a".repeat(40).parse().unwrap();
        assert!(!glob.matches(Path::new(&"a".repeat(39))));
    }
}
