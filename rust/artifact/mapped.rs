//! A table in a mapped file.

use std::fs::File;
use std::path::Path;

use memmap2::Mmap;

use super::header::{StoredTable, StoredTokenRows};
use crate::error::{Error, Result};
use crate::table::Table;

/// The bytes of the file at `path`.
pub(super) fn map(path: &Path) -> Result<Mmap> {
    let file = File::open(path).map_err(|error| Error::io(path, error))?;
    // SAFETY: the map is read-only and private to this process. Model files are written under a temporary name
    // and renamed, never changed in place, so the bytes do not change under the map.
    unsafe { Mmap::map(&file) }.map_err(|error| Error::io(path, error))
}

/// A table, and the file that it is in.
#[derive(Debug)]
pub(super) struct MappedTable {
    /// Borrows from `map`, and so stands before it: fields are dropped in order.
    table: Table<'static>,
    map: Mmap,
}

impl MappedTable {
    /// The table `stored` of the file `map` at `path`, whose rows are those of the tokens that `token_rows` says; reads
    /// every value of it.
    ///
    /// # Errors
    /// The scale is out of range, a value is not finite, or a row is not that of exactly one token.
    pub(super) fn new(path: &Path, map: Mmap, stored: StoredTable, token_rows: StoredTokenRows) -> Result<Self> {
        let StoredTable { name, dtype, rows, columns, scale, data } = stored;
        // SAFETY: the bytes stay where they are, unchanged, for as long as the map exists, however it is moved; the
        // map is owned by the same value as the table, is dropped after it, and `table` gives it out only for as long
        // as that value is borrowed.
        let bytes: &'static [u8] = unsafe { std::slice::from_raw_parts(map.as_ptr(), map.len()) };
        let refused = |error: Error| Error::artifact(path, error.to_string());
        let (mask, list) = match token_rows {
            StoredTokenRows::Own => (None, None),
            StoredTokenRows::Unmasked(range) => (Some(&bytes[range]), None),
            StoredTokenRows::Listed(range) => (None, Some(bytes[range].as_chunks::<4>().0)),
        };
        let mut table = Table::new(dtype, rows, columns, scale, &bytes[data], mask).map_err(refused)?;
        if let Some(list) = list {
            table = table.with_token_rows(list).map_err(refused)?;
        }
        if let Some(index) = table.first_non_finite() {
            let reason = format!("{name}: value at row {}, column {} is not finite", index / columns, index % columns);
            return Err(Error::artifact(path, reason));
        }
        Ok(Self { table, map })
    }

    pub(super) fn table(&self) -> &Table<'_> {
        &self.table
    }

    /// The whole file.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.map
    }
}
