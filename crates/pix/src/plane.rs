//! One two-dimensional array of samples.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};

use crate::geom::{Rect, Size};

/// A row-major array of samples, x fastest.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane<T> {
    size: Size,
    data: Vec<T>,
}

/// The size, then the samples' bytes as this machine holds them: for records that stay on it.
impl<T: bytemuck::Pod> Serialize for Plane<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Bytes<'a>(&'a [u8]);
        impl Serialize for Bytes<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(self.0)
            }
        }
        (self.size, Bytes(bytemuck::cast_slice(&self.data))).serialize(serializer)
    }
}

/// Refuses samples that are not as many as the size says.
impl<'de, T: bytemuck::Pod> Deserialize<'de> for Plane<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (size, Bytes(bytes)) = <(Size, Bytes)>::deserialize(deserializer)?;
        let pixels = size.width.checked_mul(size.height);
        if pixels.and_then(|n| n.checked_mul(size_of::<T>())) != Some(bytes.len()) {
            return Err(D::Error::custom("a plane of another size than it says"));
        }
        Ok(Self { size, data: bytemuck::pod_collect_to_vec(&bytes) })
    }
}

/// Bytes as they are, not as a list of numbers.
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}

impl<T: Copy> Plane<T> {
    /// A plane of `size` with every sample set to `value`.
    pub fn filled(size: Size, value: T) -> Self {
        Self { size, data: vec![value; size.pixels()] }
    }

    /// A plane of `size` with every sample 0, or with no bit set: memory that the system hands out
    /// as zeros, touched by whoever fills it first.
    pub fn zeroed(size: Size) -> Self
    where
        T: bytemuck::Zeroable,
    {
        Self { size, data: bytemuck::allocation::zeroed_vec(size.pixels()) }
    }

    /// A plane over `data`, row after row; `None` when the number of samples is not that of `size`.
    pub fn from_vec(size: Size, data: Vec<T>) -> Option<Self> {
        (data.len() == size.pixels()).then_some(Self { size, data })
    }

    /// A plane whose sample at (x, y) is `f(x, y)`.
    pub fn from_fn(size: Size, mut f: impl FnMut(usize, usize) -> T) -> Self {
        let mut data = Vec::with_capacity(size.pixels());
        for y in 0..size.height {
            data.extend((0..size.width).map(|x| f(x, y)));
        }
        Self { size, data }
    }

    /// Width and height.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.size.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.size.height
    }

    /// The sample at (x, y). Panics outside the plane, as indexing does.
    pub fn get(&self, x: usize, y: usize) -> T {
        assert!(x < self.size.width, "column {x} outside a plane {} wide", self.size.width);
        self.data[y * self.size.width + x]
    }

    /// Sets the sample at (x, y). Panics outside the plane, as indexing does.
    pub fn set(&mut self, x: usize, y: usize, value: T) {
        assert!(x < self.size.width, "column {x} outside a plane {} wide", self.size.width);
        self.data[y * self.size.width + x] = value;
    }

    /// Row `y`.
    pub fn row(&self, y: usize) -> &[T] {
        &self.data[y * self.size.width..(y + 1) * self.size.width]
    }

    /// Row `y`, to write.
    pub fn row_mut(&mut self, y: usize) -> &mut [T] {
        &mut self.data[y * self.size.width..(y + 1) * self.size.width]
    }

    /// Rows `y0..y1` as one slice.
    pub fn rows(&self, y0: usize, y1: usize) -> &[T] {
        &self.data[y0 * self.size.width..y1 * self.size.width]
    }

    /// Rows `y0..y1` as one slice, to write.
    pub fn rows_mut(&mut self, y0: usize, y1: usize) -> &mut [T] {
        &mut self.data[y0 * self.size.width..y1 * self.size.width]
    }

    /// Every sample, row after row.
    pub fn as_slice(&self) -> &[T] {
        &self.data
    }

    /// Every sample, row after row, to write.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.data
    }

    /// The samples, row after row.
    pub fn into_vec(self) -> Vec<T> {
        self.data
    }

    /// A copy of `region`, which must lie inside the plane.
    pub fn crop(&self, region: Rect) -> Self {
        assert!(region.fits(self.size), "region {region} outside a plane of {}", self.size);
        Self::from_fn(region.size(), |x, y| self.get(region.x0 + x, region.y0 + y))
    }
}
