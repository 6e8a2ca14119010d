//! Token rows to one row of logits, and logits to probabilities.
//!
//! Token ids become row numbers first; what gathers and pools rows takes numbers, whatever they stand for. Stored
//! values are pooled unscaled and scaled once at the end. Every finite FP8 value is a whole multiple of the format's
//! smallest, so average pooling sums integers and gives the same bits in any order of the tokens.

use crate::error::{Error, Result};
use crate::kernel::{self, Kernel};
use crate::table::{DType, Table};

/// How the rows of a text's tokens become one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pooling {
    /// Mean of the logits: every token's evidence adds up.
    Average,
    /// Log of the sum of the exponentials: a soft maximum, in which one loud token can decide.
    LogSumExp,
    /// The largest logit of each language.
    Max,
}

impl Pooling {
    /// Every pooling, for tests and listings.
    pub const ALL: [Self; 3] = [Self::Average, Self::LogSumExp, Self::Max];

    /// `average`, `logsumexp` or `max`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Average => "average",
            Self::LogSumExp => "logsumexp",
            Self::Max => "max",
        }
    }

    /// The pooling called `name`; an error lists the names there are.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|pooling| pooling.name() == name).ok_or_else(|| {
            Error::InvalidArgument(format!("pooling: expected \"average\", \"logsumexp\" or \"max\", found {name:?}"))
        })
    }
}

/// Buffers that pooling needs; keep one a thread and reuse it.
#[derive(Default)]
pub struct Scratch {
    rows: Vec<u32>,
    sums: Vec<i32>,
    keys: Vec<i8>,
    totals: Vec<f64>,
    peaks: Vec<f64>,
}

/// Pools the rows of `ids` into `logits` (one value a column) and returns how many rows took part.
///
/// Masked rows and ids past the end of the table are left out. When none is left the answer is 0 and `logits` is
/// untouched: there is nothing to say about such a text. The values of the rows must be finite, which
/// [`Table::first_non_finite`] tells.
///
/// # Errors
/// `logits` has not one place for each column, or `WLDETECT_KERNEL` names a level that this CPU does not have.
pub fn pool(
    table: &Table<'_>,
    ids: &[u32],
    pooling: Pooling,
    scratch: &mut Scratch,
    logits: &mut [f32],
) -> Result<usize> {
    pool_with(Kernel::chosen()?, table, ids, pooling, scratch, logits)
}

/// [`pool`] with a kernel other than the one chosen for the process. The logits are the same to the bit.
///
/// # Errors
/// `logits` has not one place for each column.
pub fn pool_with(
    kernel: Kernel,
    table: &Table<'_>,
    ids: &[u32],
    pooling: Pooling,
    scratch: &mut Scratch,
    logits: &mut [f32],
) -> Result<usize> {
    same_width("logits", table, logits.len())?;
    let mut rows = std::mem::take(&mut scratch.rows);
    table.rows_of(ids, &mut rows);
    if !rows.is_empty() {
        pool_rows(kernel, table, &rows, pooling, scratch, logits);
    }
    scratch.rows = rows;
    Ok(scratch.rows.len())
}

/// Adds up the stored values (not yet scaled) of the rows numbered `rows`, column by column, into `totals`: one `f64` a
/// column, in units of [`Table::unit`].
///
/// For FP8 tables these are whole numbers, exact up to 2^53, which is more rows than there is memory for: totals may
/// be gathered in parts and in any order. Float32 rows are added in order. A total x unit x scale / rows is the
/// average logit.
///
/// # Errors
/// `totals` has not one place for each column, or a row is past the end of the table.
pub fn sum_rows(
    kernel: Kernel,
    table: &Table<'_>,
    rows: &[u32],
    scratch: &mut Scratch,
    totals: &mut [f64],
) -> Result<()> {
    same_width("totals", table, totals.len())?;
    existing(table, rows)?;
    add_rows(kernel, table, rows, &mut scratch.sums, totals);
    Ok(())
}

/// The average of the rows numbered `rows`, at least one, into `logits`, as [`Pooling::Average`] pools tokens.
///
/// # Errors
/// `logits` has not one place for each column, or a row is past the end of the table.
pub(crate) fn average_rows(
    kernel: Kernel,
    table: &Table<'_>,
    rows: &[u32],
    scratch: &mut Scratch,
    logits: &mut [f32],
) -> Result<()> {
    same_width("logits", table, logits.len())?;
    existing(table, rows)?;
    pool_rows(kernel, table, rows, Pooling::Average, scratch, logits);
    Ok(())
}

fn existing(table: &Table<'_>, rows: &[u32]) -> Result<()> {
    match rows.iter().find(|&&row| row as usize >= table.rows()) {
        None => Ok(()),
        Some(row) => Err(Error::InvalidArgument(format!("rows: expected numbers below {}, found {row}", table.rows()))),
    }
}

fn same_width(what: &str, table: &Table<'_>, found: usize) -> Result<()> {
    let expected = table.columns();
    if found == expected {
        return Ok(());
    }
    Err(Error::InvalidArgument(format!("{what}: expected {expected} places, one a column, found {found}")))
}

/// [`sum_rows`] of rows that exist.
fn add_rows(kernel: Kernel, table: &Table<'_>, rows: &[u32], sums: &mut Vec<i32>, totals: &mut [f64]) {
    match table.dtype() {
        DType::Fp8(format) => {
            for rows in rows.chunks(kernel::max_rows(format)) {
                refill(sums, table.columns(), 0);
                kernel.sum_codes(format, table.data(), table.columns(), rows, sums);
                kernel.add_sums(sums, totals);
            }
        }
        DType::Float32 => kernel.sum_floats(table.data(), table.columns(), rows, totals),
    }
}

/// Pools rows that exist, at least one of them.
fn pool_rows(
    kernel: Kernel,
    table: &Table<'_>,
    rows: &[u32],
    pooling: Pooling,
    scratch: &mut Scratch,
    logits: &mut [f32],
) {
    let Scratch { sums, keys, totals, peaks, .. } = scratch;
    let (columns, scale) = (table.columns(), f64::from(table.scale()));
    match (pooling, table.dtype()) {
        (Pooling::Average, _) => {
            refill(totals, columns, 0.0);
            add_rows(kernel, table, rows, sums, totals);
            kernel.scale(totals, table.unit() * scale / rows.len() as f64, logits);
        }
        (Pooling::Max, DType::Fp8(format)) => {
            refill(keys, columns, i8::MIN);
            kernel.max_codes(table.data(), columns, rows, keys);
            let values = format.decode_table();
            for (logit, &key) in logits.iter_mut().zip(keys.iter()) {
                // The scale is positive, so it does not change which value is the largest.
                *logit = (f64::from(values[kernel::code(key) as usize]) * scale) as f32;
            }
        }
        (Pooling::Max, DType::Float32) => {
            raise_peaks(table, rows, peaks);
            kernel.scale(peaks, scale, logits);
        }
        (Pooling::LogSumExp, dtype) => {
            refill(totals, columns, 0.0);
            let exponentials = match dtype {
                DType::Fp8(format) => table.exponentials(format),
                DType::Float32 => None,
            };
            if let Some((values, largest)) = exponentials {
                kernel.sum_values(values, table.data(), columns, rows, totals);
                totals.iter_mut().for_each(|total| *total = largest + total.ln());
            } else {
                // The peak of each column comes out of the exponent first, so that no exponential overflows.
                raise_peaks(table, rows, peaks);
                for &row in rows {
                    table.for_each_value(row, |column, value| {
                        totals[column] += ((value - peaks[column]) * scale).exp();
                    });
                }
                totals.iter_mut().zip(peaks).for_each(|(total, peak)| *total = *peak * scale + total.ln());
            }
            kernel.scale(totals, 1.0, logits);
        }
    }
}

/// The largest stored value of each column among `rows`.
fn raise_peaks(table: &Table<'_>, rows: &[u32], peaks: &mut Vec<f64>) {
    refill(peaks, table.columns(), f64::NEG_INFINITY);
    for &row in rows {
        table.for_each_value(row, |column, value| peaks[column] = peaks[column].max(value));
    }
}

/// Empties `values` and fills it with `length` times `value`.
fn refill<T: Copy>(values: &mut Vec<T>, length: usize, value: T) {
    values.clear();
    values.resize(length, value);
}

/// Turns logits into probabilities in place, each within 1e-6 of the softmax in `f64`. The logits must be finite; an
/// empty slice stays empty.
pub fn softmax(logits: &mut [f32]) {
    softmax_with(Kernel::chosen_or_best(), logits, 1.0);
}

/// [`softmax`] of the logits times `inverse_temperature`, positive and finite, with a kernel other than the one chosen
/// for the process. The probabilities are the same to the bit on each, and with 1 those of [`softmax`].
pub fn softmax_with(kernel: Kernel, logits: &mut [f32], inverse_temperature: f32) {
    kernel.softmax(logits, inverse_temperature);
}

/// The [`argmax`] of finite `logits` and the probability that [`softmax`] gives it, to the bit, without the others;
/// `None` for an empty slice.
pub fn best(logits: &[f32]) -> Option<(usize, f32)> {
    best_with(Kernel::chosen_or_best(), logits, 1.0)
}

/// [`best`], its probability that of [`softmax_with`]: the index is that of [`best`] whatever the temperature.
pub fn best_with(kernel: Kernel, logits: &[f32], inverse_temperature: f32) -> Option<(usize, f32)> {
    kernel.best(logits, inverse_temperature)
}

/// Index of the largest value, the first of several; `None` for an empty slice.
pub fn argmax(values: &[f32]) -> Option<usize> {
    let mut best = None;
    for (index, &value) in values.iter().enumerate() {
        if best.is_none_or(|(_, peak)| value > peak) {
            best = Some((index, value));
        }
    }
    best.map(|(index, _)| index)
}
