//! Row numbers of n-grams to logits.

use super::Projection;
use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::pooling::{self, average_rows};
use crate::table::Table;

/// Buffers that this needs; keep one a thread and reuse it.
#[derive(Default)]
pub struct LogitScratch {
    pooling: pooling::Scratch,
    average: Vec<f32>,
}

/// Adds to `logits` what the rows of `table` numbered `rows` say: their average, through the `projection` if there is one.
/// Equal rows count as often as they occur; without rows nothing changes.
///
/// The average of FP8 rows is exact but for one rounding, so it does not depend on their order. What the projection makes
/// of it is summed on its own, then added.
///
/// # Errors
/// `logits` has not one place for each column of the projection, or of the table where there is none; the projection has
/// not one row for each column of the table; or a row is past the end of the table.
pub fn add_logits(
    kernel: Kernel,
    table: &Table<'_>,
    projection: Option<&Projection>,
    rows: &[u32],
    scratch: &mut LogitScratch,
    logits: &mut [f32],
) -> Result<()> {
    let LogitScratch { pooling, average } = scratch;
    let width = projection.map_or(table.columns(), Projection::columns);
    if logits.len() != width {
        let reason = format!("logits: expected {width} places, one a column, found {}", logits.len());
        return Err(Error::InvalidArgument(reason));
    }
    if let Some(projection) = projection
        && projection.rows() != table.columns()
    {
        let (expected, found) = (table.columns(), projection.rows());
        let reason = format!("projection: expected {expected} rows, one a column of the table, found {found}");
        return Err(Error::InvalidArgument(reason));
    }
    if rows.is_empty() {
        return Ok(());
    }
    average.resize(table.columns(), 0.0);
    average_rows(kernel, table, rows, pooling, average)?;
    match projection {
        Some(projection) => projection.add(kernel, average, logits),
        None => logits.iter_mut().zip(average).for_each(|(logit, average)| *logit += *average),
    }
    Ok(())
}
