//! Training's batches as they come: the row numbers of texts, end to end.

use std::ops::Range;

use crate::error::{Error, Result};

/// Row numbers of texts that lie end to end.
#[derive(Clone, Copy, Debug)]
pub struct Segments<'a> {
    rows: &'a [i32],
    offsets: &'a [i32],
    n_rows: usize,
}

impl<'a> Segments<'a> {
    /// Texts that begin at `offsets` of `rows`, which errors call `name`, numbers below `n_rows`. A text may have none.
    ///
    /// # Errors
    /// A number is out of range, or the offsets do not cut `rows` into texts.
    pub fn new(name: &str, rows: &'a [i32], offsets: &'a [i32], n_rows: usize) -> Result<Self> {
        if let Some((at, row)) =
            rows.iter().enumerate().find(|&(_, &row)| !usize::try_from(row).is_ok_and(|row| row < n_rows))
        {
            return Err(Error::InvalidArgument(format!("{name}[{at}]: expected a row below {n_rows}, found {row}")));
        }
        let mut least = 0;
        for (text, &offset) in offsets.iter().enumerate() {
            let expected = if text == 0 { 0..=0 } else { least..=rows.len() };
            match usize::try_from(offset) {
                Ok(offset) if expected.contains(&offset) => least = offset,
                _ => {
                    let (first, last) = expected.into_inner();
                    return Err(Error::InvalidArgument(format!(
                        "offsets[{text}]: expected {first} to {last}, found {offset}"
                    )));
                }
            }
        }
        if offsets.is_empty() && !rows.is_empty() {
            let count = rows.len();
            return Err(Error::InvalidArgument(format!("offsets: expected a text for {count} {name}, found none")));
        }
        Ok(Self { rows, offsets, n_rows })
    }

    /// The number of texts.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// What all row numbers are below.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Where the rows of text `text` lie.
    pub fn range(&self, text: usize) -> Range<usize> {
        let end = self.offsets.get(text + 1).map_or(self.rows.len(), |&offset| offset as usize);
        self.offsets[text] as usize..end
    }

    /// The rows of text `text`.
    pub fn of(&self, text: usize) -> &'a [i32] {
        &self.rows[self.range(text)]
    }

    /// The rows of all texts.
    pub fn all(&self) -> &'a [i32] {
        self.rows
    }
}

/// An error unless `found` is the number of values that `name` is expected to have.
pub(crate) fn same_length(name: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::InvalidArgument(format!("{name}: expected {expected} values, found {found}")))
}
