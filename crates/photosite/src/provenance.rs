//! Where a product came from, so that it can be trusted, repeated and reused.

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::time::UNIX_EPOCH;

pub use photosite_file::KEY_KEYWORD;
use photosite_file::fits::{Column, Table};
use photosite_pix::{Card, FrameKind, Header, Size};
use serde::{Serialize, Serializer};

use crate::open::{image_of_file, open_stored, probe};
use crate::{Error, Result};

/// The name and version of this software.
pub const SOFTWARE: &str = concat!("Photosite ", env!("CARGO_PKG_VERSION"));

/// Raised whenever the same inputs and parameters would give other pixels.
pub const ALGORITHM_VERSION: u32 = 6;

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
                Ok(n) => hasher.update(&buffer[..n]),
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
    pub software: &'static str,
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
            software: SOFTWARE,
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
        header.set_text("SWMODIFY", self.software, "program that made this product");
        header.push_history(&format!("{}: {}", self.software, self.product));
        for step in steps {
            header.push_history(step);
        }
        for input in &self.inputs {
            header.push_history(&format!("input {}: {}", input.role, input.name));
        }
    }

    /// The provenance for machines: one row per input, then one row per parameter.
    pub fn table(&self) -> Table {
        let mut rows: Vec<[String; 3]> = vec![
            ["software".into(), self.software.into(), String::new()],
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

/// The name of a product's kind of frame: `master dark flat`.
pub fn master_name(kind: FrameKind) -> String {
    format!("master {kind}")
}
