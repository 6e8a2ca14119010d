//! A table in a mapped file.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use memmap2::Mmap;

use super::header::StoredTable;
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
    /// The table `stored` of the file `map` at `path`, with the `mask` that is there; reads every value of it.
    ///
    /// # Errors
    /// The scale is out of range, or a value is not finite.
    pub(super) fn new(path: &Path, map: Mmap, stored: StoredTable, mask: Option<Range<usize>>) -> Result<Self> {
        let StoredTable { name, dtype, rows, columns, scale, data } = stored;
        // SAFETY: the bytes stay where they are, unchanged, for as long as the map exists, however it is moved; the
        // map is owned by the same value as the table, is dropped after it, and `table` gives it out only for as long
        // as that value is borrowed.
        let bytes: &'static [u8] = unsafe { std::slice::from_raw_parts(map.as_ptr(), map.len()) };
        let table = Table::new(dtype, rows, columns, scale, &bytes[data], mask.map(|range| &bytes[range]))
            .map_err(|error| Error::artifact(path, error.to_string()))?;
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
