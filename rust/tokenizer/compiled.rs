//! A compiled tokenizer: its bytes, wherever they are, and the tables in them.

use std::path::Path;

use memmap2::Mmap;

use super::compile::compile;
use super::format::{self, Refusal};
use super::native::Native;

pub(super) struct Compiled {
    /// Borrows from `map`, and so stands before it: fields are dropped in order.
    tables: Native<'static>,
    map: Mmap,
}

impl Compiled {
    /// Compiles the text of a `tokenizer.json` with the given SHA-256; refuses what it would not encode exactly.
    pub(super) fn from_json(json: &[u8], sha256: &[u8; 32]) -> Result<Self, Refusal> {
        Self::new(compile(json, sha256)?)
    }

    /// Maps the file at `path`, if it was made from the `tokenizer.json` with the given SHA-256 by this version.
    pub(super) fn open(path: &Path, sha256: &[u8; 32]) -> Result<Self, Refusal> {
        Self::new(format::open(path, sha256)?)
    }

    fn new(map: Mmap) -> Result<Self, Refusal> {
        // SAFETY: the bytes stay where they are, unchanged, for as long as the map exists, however it is moved; the
        // map is owned by the same value as the tables, is dropped after them, and `tables` gives them out only for
        // as long as that value is borrowed.
        let bytes: &'static [u8] = unsafe { std::slice::from_raw_parts(map.as_ptr(), map.len()) };
        Ok(Self { tables: Native::read(bytes)?, map })
    }

    pub(super) fn save(&self, path: &Path) -> std::io::Result<()> {
        format::save(&self.map, path)
    }

    pub(super) fn tables(&self) -> &Native<'_> {
        &self.tables
    }
}
