//! What parts of a night are named by, so that a light is never taken for a master.

use std::fmt::Debug;
use std::ops::Index;

use super::{Frame, Inventory};

/// The name of one of many things of one kind, in the order in which they stand.
pub trait Id: Copy + Ord + Debug {
    /// The one that stands at `place`.
    fn at(place: usize) -> Self;

    /// Where it stands, the first at 0.
    fn place(self) -> usize;
}

/// Makes names of one kind.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(usize);

        impl $crate::inventory::Id for $name {
            fn at(place: usize) -> Self {
                Self(place)
            }

            fn place(self) -> usize {
                self.0
            }
        }
    };
}
pub(crate) use id;

id! {
    /// A frame of an [`Inventory`], which gives it for its name: `inventory[id]`.
    FrameId
}

impl Inventory {
    /// The frames with their names.
    pub fn named(&self) -> impl Iterator<Item = (FrameId, &Frame)> {
        self.frames.iter().enumerate().map(|(i, frame)| (FrameId::at(i), frame))
    }
}

impl Index<FrameId> for Inventory {
    type Output = Frame;

    fn index(&self, id: FrameId) -> &Frame {
        &self.frames[id.place()]
    }
}
