//! Token rows to one row of logits, and logits to probabilities.
//!
//! Stored values are pooled in `f64` and scaled once at the end. Every finite FP8 value is a small integer times a
//! power of two, so their sum is exact: average pooling gives the same bits in any order of the tokens.

use crate::error::{Error, Result};
use crate::table::Table;

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
    totals: Vec<f64>,
    peaks: Vec<f64>,
}

/// Pools the rows of `ids` into `logits` (one value a column) and returns how many rows took part.
///
/// Masked rows and ids past the end of the table are left out. When none is left the answer is 0 and `logits` is
/// untouched: there is nothing to say about such a text.
///
/// # Errors
/// `logits` has not one place for each column.
pub fn pool(
    table: &Table<'_>,
    ids: &[u32],
    pooling: Pooling,
    scratch: &mut Scratch,
    logits: &mut [f32],
) -> Result<usize> {
    if logits.len() != table.columns() {
        return Err(Error::InvalidArgument(format!(
            "logits: expected {} places, one a column, found {}",
            table.columns(),
            logits.len()
        )));
    }
    let count = ids.iter().filter(|&&id| table.has_row(id)).count();
    if count == 0 {
        return Ok(0);
    }
    let rows = || ids.iter().copied().filter(|&id| table.has_row(id));
    let Scratch { totals, peaks } = scratch;
    totals.clear();
    totals.resize(table.columns(), 0.0);
    let scale = f64::from(table.scale());
    match pooling {
        Pooling::Average => {
            for id in rows() {
                table.for_each_value(id, |column, value| totals[column] += value);
            }
            totals.iter_mut().for_each(|total| *total *= scale / count as f64);
        }
        Pooling::Max => {
            totals.fill(f64::NEG_INFINITY);
            for id in rows() {
                table.for_each_value(id, |column, value| totals[column] = totals[column].max(value));
            }
            // The scale is positive, so it does not change which value is the largest.
            totals.iter_mut().for_each(|total| *total *= scale);
        }
        Pooling::LogSumExp => {
            // The peak of each column comes out of the exponent first, so that no exponential overflows.
            peaks.clear();
            peaks.resize(table.columns(), f64::NEG_INFINITY);
            for id in rows() {
                table.for_each_value(id, |column, value| peaks[column] = peaks[column].max(value));
            }
            for id in rows() {
                table.for_each_value(id, |column, value| totals[column] += ((value - peaks[column]) * scale).exp());
            }
            totals.iter_mut().zip(peaks).for_each(|(total, peak)| *total = *peak * scale + total.ln());
        }
    }
    for (logit, &total) in logits.iter_mut().zip(totals.iter()) {
        *logit = total as f32;
    }
    Ok(count)
}

/// Turns logits into probabilities in place. Finite for any finite logits; an empty slice stays empty.
pub fn softmax(logits: &mut [f32]) {
    let peak = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = logits.iter().map(|&logit| f64::from(logit - peak).exp()).sum();
    logits.iter_mut().for_each(|logit| *logit = (f64::from(*logit - peak).exp() / total) as f32);
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
