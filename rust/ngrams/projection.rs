//! What turns the average of n-gram rows into logits.

use crate::error::{Error, Result};
use crate::kernel::{Kernel, PROJECTED};

/// A matrix of r rows (learned numbers) and L columns (languages).
#[derive(Clone, PartialEq)]
pub struct Projection {
    rows: usize,
    columns: usize,
    /// [`PROJECTED`] columns after one another, row by row, so that they are read as they lie. The last block is filled
    /// up with zeros.
    blocks: Vec<f32>,
}

impl Projection {
    /// The projection of these `values`, row by row.
    ///
    /// # Errors
    /// There is no row, or another number of values than `rows` x `columns`.
    pub fn new(rows: usize, columns: usize, values: &[f32]) -> Result<Self> {
        if rows == 0 {
            return Err(Error::InvalidArgument("projection: expected at least one row, found 0".into()));
        }
        if rows.checked_mul(columns) != Some(values.len()) {
            let reason = format!("projection: shape {rows} x {columns} disagrees with {} values", values.len());
            return Err(Error::InvalidArgument(reason));
        }
        let mut blocks = vec![0.0; rows * columns.next_multiple_of(PROJECTED)];
        for (start, block) in (0..columns).step_by(PROJECTED).zip(blocks.chunks_exact_mut(rows * PROJECTED)) {
            let width = PROJECTED.min(columns - start);
            for (from, to) in values.chunks_exact(columns).zip(block.chunks_exact_mut(PROJECTED)) {
                to[..width].copy_from_slice(&from[start..][..width]);
            }
        }
        Ok(Self { rows, columns, blocks })
    }

    /// Learned numbers.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Languages.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How many times as large as the largest of the numbers a logit can be.
    pub fn gain(&self) -> f64 {
        let sums = self.blocks.chunks_exact(self.rows * PROJECTED).flat_map(|block| {
            (0..PROJECTED)
                .map(move |column| block.iter().skip(column).step_by(PROJECTED).map(|v| f64::from(v.abs())).sum())
        });
        sums.fold(0.0, f64::max)
    }

    /// Adds to each of `logits` the sum over the rows d, from the first to the last, of `numbers[d]` x the value in its
    /// column, every product and every sum rounded.
    ///
    /// # Panics
    /// `numbers` has not one place for each row, or `logits` for each column.
    pub fn add(&self, kernel: Kernel, numbers: &[f32], logits: &mut [f32]) {
        assert_eq!((numbers.len(), logits.len()), (self.rows, self.columns), "places for a projection");
        kernel.project(numbers, &self.blocks, logits);
    }
}

impl std::fmt::Debug for Projection {
    /// Without its thousands of values.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Projection({} x {})", self.rows, self.columns)
    }
}
