//! Where a product came from, so that it can be trusted, repeated and reused.
//!
//! ```
//! use photosite::provenance::{ContentHash, Input, Provenance};
//! use serde_json::json;
//!
//! let input = |name: &str, byte| Input::new("dark", name.as_ref(), ContentHash::from_bytes([byte; 32]));
//! let made = |inputs| Provenance::new("master dark", inputs, json!({ "combine": "mean" }));
//! let key = made(vec![input("a.fits", 1), input("b.fits", 2)]).key();
//! assert_eq!(key.len(), 32);
//! // The order in which frames were named does not matter; what they hold does.
//! assert_eq!(made(vec![input("b.fits", 2), input("a.fits", 1)]).key(), key);
//! assert_ne!(made(vec![input("a.fits", 1), input("b.fits", 3)]).key(), key);
//! ```

use std::borrow::Cow;
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;
use std::time::UNIX_EPOCH;

pub use photosite_file::KEY_KEYWORD;
use photosite_file::fits::{Column, Table, read_table};
use photosite_pix::{Card, FrameKind, Header, Size};
use serde::{Serialize, Serializer};

use crate::open::{image_of_file, open_stored, probe};
use crate::{Error, Result};

/// The name and version of this software.
pub const SOFTWARE: &str = concat!("Photosite ", env!("CARGO_PKG_VERSION"));

/// Raised whenever the same inputs and parameters would give other pixels.
pub const ALGORITHM_VERSION: u32 = 22;

/// The name of the table extension for machines.
pub const TABLE_NAME: &str = "PROVENANCE";

/// The blake3 hash of a file's bytes: a frame is what it holds, whatever it is called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Reads a file through once; of the name of one image of several in a file, that image.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of_file(path: &Path) -> Result<Self> {
        Self::of_file_seen(path, |_| ())
    }

    /// The same; `seen` is given the bytes of the file as they are read, of one image of several none.
    pub(crate) fn of_file_seen(path: &Path, mut seen: impl FnMut(&[u8])) -> Result<Self> {
        if image_of_file(path).is_some() {
            return Self::of_image(path);
        }
        let mut file =
            std::fs::File::open(path).map_err(|e| Error::io(path, "opening the file", e))?;
        let mut hasher = blake3::Hasher::new();
        // Small enough to be hashed from the cache it was copied into.
        let mut buffer = vec![0u8; 1 << 17];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(Self(*hasher.finalize().as_bytes())),
                Ok(n) => {
                    seen(&buffer[..n]);
                    hasher.update(&buffer[..n])
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(Error::io(path, "reading the file", e)),
            };
        }
    }
}

impl ContentHash {
    /// Of the cards and samples of one image of a file, because reading the whole file for each of
    /// its images would take as many times as long.
    fn of_image(path: &Path) -> Result<Self> {
        let mut hasher = blake3::Hasher::new();
        for card in probe(path)?.header.cards() {
            hasher.update(card.as_bytes());
        }
        let source = open_stored(path)?;
        let Size { width, height } = source.size();
        let (mut bytes, mut row) = (Vec::new(), vec![0.0f32; width]);
        for y in 0..height {
            source.read_rows(0, y..y + 1, &mut bytes, &mut row)?;
            for v in &row {
                hasher.update(&v.to_le_bytes());
            }
        }
        Ok(Self(*hasher.finalize().as_bytes()))
    }

    /// A hash from its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl FromStr for ContentHash {
    type Err = ();

    fn from_str(digits: &str) -> std::result::Result<Self, ()> {
        let pairs = digits.as_bytes().as_chunks::<2>().0.iter();
        let bytes = pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
        let bytes: Option<Vec<u8>> = bytes.collect();
        let bytes = bytes.filter(|_| digits.len() == 64).ok_or(())?;
        bytes.try_into().map(Self).map_err(drop)
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ContentHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What shows that a file has changed without reading it completely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FileMark {
    /// Its length.
    pub file_bytes: u64,
    /// When it was last changed, in nanoseconds since 1970; 0 where the system does not say.
    pub modified_ns: i64,
}

impl FileMark {
    /// The mark of the file at `path`.
    ///
    /// # Errors
    /// When the file is not there or cannot be looked at.
    pub fn of(path: &Path) -> Result<Self> {
        let file = image_of_file(path);
        let path = file.as_ref().map_or(path, |(file, _)| file);
        let meta = std::fs::metadata(path)
            .map_err(|e| Error::io(path, "reading the file's size and date", e))?;
        let since = meta.modified().ok().and_then(|m| m.duration_since(UNIX_EPOCH).ok());
        let modified_ns = since.and_then(|d| i64::try_from(d.as_nanos()).ok()).unwrap_or(0);
        Ok(Self { file_bytes: meta.len(), modified_ns })
    }
}

/// One input of a product.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Input {
    /// What the input was used as: `dark`, `flat`, `master bias`, `light` ...
    pub role: String,
    /// The file's name, without its folder: where a file lies does not change what it holds.
    pub name: String,
    /// What it holds.
    pub hash: ContentHash,
}

impl Input {
    /// An input from a file.
    pub fn new(role: impl Into<String>, path: &Path, hash: ContentHash) -> Self {
        let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        Self { role: role.into(), name, hash }
    }
}

/// Everything that decides a product's bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Provenance {
    /// What is made: `master dark`, `calibrated light`.
    pub product: String,
    /// The software and its version.
    pub software: Cow<'static, str>,
    /// The version of the arithmetic.
    pub algorithm_version: u32,
    /// The inputs, sorted, so that the order in which they were named does not matter.
    pub inputs: Vec<Input>,
    /// The parameters.
    pub parameters: serde_json::Value,
}

impl Provenance {
    /// The provenance of a product.
    pub fn new(
        product: impl Into<String>,
        mut inputs: Vec<Input>,
        parameters: serde_json::Value,
    ) -> Self {
        inputs.sort();
        Self {
            product: product.into(),
            software: SOFTWARE.into(),
            algorithm_version: ALGORITHM_VERSION,
            inputs,
            parameters,
        }
    }

    /// The product's key: same key, same bytes, no work.
    pub fn key(&self) -> String {
        let json = serde_json::to_string(self).expect("plain data is always JSON");
        blake3::hash(json.as_bytes()).to_hex()[..32].to_owned()
    }

    /// Writes the provenance for people into a header.
    pub fn write_history(&self, header: &mut Header, steps: &[String]) {
        header.set(Card::string(KEY_KEYWORD, &self.key(), "key of inputs and parameters"));
        header.set_text("SWMODIFY", &self.software, "program that made this product");
        header.push_history(&format!("{}: {}", self.software, self.product));
        for step in steps {
            header.push_history(step);
        }
        for input in &self.inputs {
            header.push_history(&format!("input {}: {}", input.role, input.name));
        }
    }

    /// What [`table`](Self::table) wrote; the error says what is wrong with it.
    fn of_table(table: &Table) -> std::result::Result<Self, String> {
        let column = |name: &str| match table.column(name) {
            Some(Column::Text(cells)) => Ok(cells),
            _ => Err(format!("has no column {name}")),
        };
        let (roles, values, hashes) = (column("ROLE")?, column("VALUE")?, column("BLAKE3")?);
        let (mut product, mut software, mut version) = (None, None, None);
        let (mut inputs, mut parameters) = (Vec::new(), serde_json::Map::new());
        for ((role, value), hash) in roles.iter().zip(values).zip(hashes) {
            let wrong = || format!("{role} is {value:?} {hash:?}");
            if let Some(role) = role.strip_prefix("input ") {
                let hash = hash.parse().map_err(|()| wrong())?;
                inputs.push(Input { role: role.to_owned(), name: unescaped(value), hash });
            } else if let Some(name) = role.strip_prefix("parameter ") {
                let value = serde_json::from_str(value).map_err(|_| wrong())?;
                parameters.insert(name.to_owned(), value);
            } else {
                match role.as_str() {
                    "product" => product = Some(value),
                    "software" => software = Some(value),
                    "algorithm version" => version = Some(value.parse().map_err(|_| wrong())?),
                    "key" => {}
                    _ => return Err(wrong()),
                }
            }
        }
        let lacks = |what: &str| format!("has no row {what}");
        Ok(Self {
            product: product.ok_or_else(|| lacks("product"))?.clone(),
            software: software.ok_or_else(|| lacks("software"))?.clone().into(),
            algorithm_version: version.ok_or_else(|| lacks("algorithm version"))?,
            inputs,
            parameters: parameters.into(),
        })
    }

    /// The provenance for machines: one row per input, then one row per parameter.
    pub fn table(&self) -> Table {
        let mut rows: Vec<[String; 3]> = vec![
            ["software".into(), self.software.to_string(), String::new()],
            ["algorithm version".into(), self.algorithm_version.to_string(), String::new()],
            ["product".into(), self.product.clone(), String::new()],
            ["key".into(), self.key(), String::new()],
        ];
        for i in &self.inputs {
            rows.push([format!("input {}", i.role), i.name.clone(), i.hash.to_string()]);
        }
        if let Some(parameters) = self.parameters.as_object() {
            for (name, value) in parameters {
                rows.push([format!("parameter {name}"), value.to_string(), String::new()]);
            }
        }
        let column = |i: usize| Column::Text(rows.iter().map(|r| r[i].clone()).collect());
        Table {
            name: TABLE_NAME.to_owned(),
            columns: vec![
                ("ROLE".to_owned(), column(0)),
                ("VALUE".to_owned(), column(1)),
                ("BLAKE3".to_owned(), column(2)),
            ],
        }
    }
}

/// The key that a product's header names; `None` for what Photosite did not make.
pub fn key_of(header: &Header) -> Option<String> {
    header.get_text(KEY_KEYWORD)
}

/// Reads back what a product says of its making.
///
/// The key is computed anew and compared with the one in its header, so what is returned is what the
/// product was made of.
///
/// # Errors
/// As [`told`]; also when another version of the arithmetic made it ([`Mismatch`]).
///
/// [`Mismatch`]: crate::ErrorKind::Mismatch
pub fn read(path: &Path) -> Result<Provenance> {
    let (found, key) = parsed(path)?;
    if found.algorithm_version != ALGORITHM_VERSION {
        return Err(Error::mismatch(format!(
            "{} was made by {} (arithmetic {}); this is {SOFTWARE} (arithmetic {ALGORITHM_VERSION})",
            path.display(),
            found.software,
            found.algorithm_version
        )));
    }
    with_key(path, found, &key)
}

/// The same, whatever version of the arithmetic made it.
///
/// # Errors
/// When the file cannot be read or says nothing of its making ([`Unsupported`]), or what it says does not give
/// its key ([`Malformed`]).
///
/// [`Unsupported`]: crate::ErrorKind::Unsupported
/// [`Malformed`]: crate::ErrorKind::Malformed
pub fn told(path: &Path) -> Result<Provenance> {
    let (found, key) = parsed(path)?;
    with_key(path, found, &key)
}

/// What a product's table says, and the key in its header.
fn parsed(path: &Path) -> Result<(Provenance, String)> {
    let Some(key) = key_of(&photosite_file::probe(path)?.header) else {
        let message = format!("{} was not made by Photosite: it has no key", path.display());
        return Err(Error::unsupported(message));
    };
    let table = read_table(path, TABLE_NAME)?.ok_or_else(|| damaged(path, "is not there"))?;
    let found = Provenance::of_table(&table).map_err(|why| damaged(path, &why))?;
    Ok((found, key))
}

/// What was found, if it gives the key.
fn with_key(path: &Path, found: Provenance, key: &str) -> Result<Provenance> {
    match found.key() {
        own if own == key => Ok(found),
        own => Err(damaged(path, &format!("gives the key {own}, the header says {key}"))),
    }
}

fn damaged(path: &Path, why: &str) -> Error {
    photosite_file::Error::damaged(path, format!("table {TABLE_NAME}: {why}")).into()
}

/// A text as it was before [`Table`] escaped what is not printable ASCII.
fn unescaped(cell: &str) -> String {
    let json = cell.replace('\\', "\\\\").replace("\\\\u", "\\u").replace('"', "\\\"");
    serde_json::from_str(&format!("\"{json}\"")).unwrap_or_else(|_| cell.to_owned())
}

/// The name of a product's kind of frame: `master dark flat`.
pub fn master_name(kind: FrameKind) -> String {
    format!("master {kind}")
}
