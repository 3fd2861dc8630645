//! Which way the rows of a frame run, as its header has it.

use photosite_file::keyword;
use photosite_pix::{CfaPattern, Header, RowOrder};

use super::without_array;

/// Says in a header that the rows run as `order` does; gives the colour filter array that it names then.
pub fn relabel_rows(header: &mut Header, order: Option<RowOrder>) -> Option<CfaPattern> {
    match order {
        Some(RowOrder::TopDown) => header.set_text("ROWORDER", "TOP-DOWN", ""),
        Some(RowOrder::BottomUp) => header.set_text("ROWORDER", "BOTTOM-UP", ""),
        None => header.remove("ROWORDER"),
    }
    // BAYERPAT speaks of the picture's top, the pattern of the file's first row.
    keyword::read(header).metadata.cfa
}

/// How another program's master is laid beside the lights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relaid {
    /// Its rows are read from the last to the first.
    pub turn: bool,
    /// How the rows of the lights run.
    pub order: Option<RowOrder>,
    /// The array over the lights.
    pub array: Option<CfaPattern>,
    /// Its rows.
    pub height: usize,
}

impl Relaid {
    /// Writes it into the master's header; gives the colour filter array of the rows as they are read.
    pub fn write(&self, header: &mut Header) -> Option<CfaPattern> {
        let read = relabel_rows(header, self.order)?;
        // Some programs turn the array's name with the rows, and say nothing of either.
        let own = |array: &CfaPattern| read.flipped_rows(self.height) == *array && read != *array;
        let Some(array) = self.array.filter(|array| self.turn && own(array)) else {
            return Some(read);
        };
        let written = match self.order {
            Some(RowOrder::BottomUp) => array.flipped_rows(self.height),
            _ => array,
        };
        without_array(header);
        header.set_text("BAYERPAT", &written.to_string(), "colour filter array");
        Some(array)
    }
}
