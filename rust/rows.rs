//! Training's table of learned rows: the average of the rows of each text, and steps of the optimizer on those rows alone
//! that a batch has.
//!
//! A text is averaged by one thread in the order of its rows, and the gradient of a row is added up in the order of the
//! texts: the bits are the same whatever the number of threads and the CPU.

use crate::bag::Storage;
use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::pieces::in_pieces;
use crate::segments::{Segments, same_length};

/// Texts that a thread averages before it takes the next ones.
const TEXTS: usize = 64;
/// Parts of the table that threads take turns at.
const PARTS: usize = 64;

/// A step of Adam for the rows that have a gradient, the moments of all others left as they are (PyTorch's SparseAdam;
/// Kingma and Ba, Adam: a method for stochastic optimization, 2015).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// The learning rate, corrected for the bias of both moments.
    rate: f32,
    betas: [f32; 2],
    epsilon: f32,
}

impl Adam {
    /// Step number `step`, counted from 1, with learning rate `rate`.
    ///
    /// # Errors
    /// `step` is 0, the rate or epsilon is negative or not finite, or a beta is not from 0 up to 1.
    pub fn new(rate: f64, betas: [f64; 2], epsilon: f64, step: u32) -> Result<Self> {
        let valid = rate >= 0.0 && rate.is_finite() && epsilon >= 0.0 && epsilon.is_finite() && step > 0;
        if !valid || !betas.iter().all(|beta| (0.0..1.0).contains(beta)) {
            return Err(Error::InvalidArgument(format!(
                "adam: expected a rate and an epsilon of at least 0, betas from 0 up to 1 and a step of at least 1, found \
                 {rate}, {epsilon}, {betas:?} and {step}"
            )));
        }
        let [first, second] = betas.map(|beta| 1.0 - beta.powf(f64::from(step)));
        Ok(Self {
            rate: (rate * second.sqrt() / first) as f32,
            betas: betas.map(|beta| beta as f32),
            epsilon: epsilon as f32,
        })
    }

    /// Takes the step for one row; all slices are as long.
    #[inline(always)]
    pub(crate) fn update(&self, values: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32]) {
        let [keep_first, keep_second] = self.betas;
        let all = values.iter_mut().zip(first).zip(second).zip(gradient);
        for (((value, first), second), &gradient) in all {
            *first = keep_first * *first + (1.0 - keep_first) * gradient;
            *second = keep_second * *second + (1.0 - keep_second) * (gradient * gradient);
            *value -= self.rate * (*first / (second.sqrt() + self.epsilon));
        }
    }
}

/// What a thread works in: the texts that have a row, a one for each, and the gradient.
#[derive(Default)]
struct Room {
    owners: Vec<i32>,
    ones: Vec<f32>,
    sum: Vec<f32>,
}

/// What Adam keeps of a table [B, r], with the table.
pub struct Learned<'a> {
    /// The rows.
    pub values: &'a mut [f32],
    /// Running means of the gradient,
    pub first: &'a mut [f32],
    /// and of its square.
    pub second: &'a mut [f32],
}

/// Writes the average of the rows of each text into a row of `averages` [texts, r]: zeros for a text without rows.
///
/// `table` is row-major with `columns` numbers, r, a row; `threads` of `None` is one for each core.
///
/// # Errors
/// A slice has another length than it should, `threads` is 0, or `WLDETECT_KERNEL` names a level that this CPU does not
/// have.
pub fn average(
    kernel: Kernel,
    table: &[f32],
    columns: usize,
    texts: Segments<'_>,
    threads: Option<usize>,
    averages: &mut [f32],
) -> Result<()> {
    check("table", table, columns, texts)?;
    same_length("averages", texts.len() * columns, averages.len())?;
    let ones = vec![1.0; (0..texts.len()).map(|text| texts.of(text).len()).max().unwrap_or(0)];
    let pieces = averages.chunks_mut(TEXTS * columns).enumerate().collect();
    let lend = |use_it: &mut dyn FnMut(&mut ())| use_it(&mut ());
    in_pieces(pieces, threads, &mut || false, lend, |(), (piece, averages), _| {
        for (text, average) in averages.chunks_exact_mut(columns).enumerate() {
            let rows = texts.of(piece * TEXTS + text);
            average.fill(0.0);
            kernel.add_rows(Storage::Float32, bytemuck::cast_slice(table), columns, rows, &ones[..rows.len()], average);
            if !rows.is_empty() {
                let share = 1.0 / rows.len() as f32;
                average.iter_mut().for_each(|value| *value *= share);
            }
        }
        Ok(())
    })
}

/// Takes a step for every row of `texts`, given the gradient of their averages, `gradient` [texts, r].
///
/// # Errors
/// As [`average`].
pub fn step(
    kernel: Kernel,
    adam: &Adam,
    learned: Learned<'_>,
    columns: usize,
    texts: Segments<'_>,
    gradient: &[f32],
    threads: Option<usize>,
) -> Result<()> {
    same_length("gradient", texts.len() * columns, gradient.len())?;
    for (name, matrix) in [("table", &learned.values), ("first", &learned.first), ("second", &learned.second)] {
        check(name, matrix, columns, texts)?;
    }
    let shares = shares(texts, columns, gradient);
    // Rows are hashes, and so as many texts have those of one part of the table as of another.
    let part = texts.n_rows().div_ceil(PARTS).max(1);
    let occurrences = deal(texts, part);
    let width = part * columns;
    let parts = learned.values.chunks_mut(width).zip(learned.first.chunks_mut(width));
    let parts = parts.zip(learned.second.chunks_mut(width)).zip(occurrences).enumerate().collect();
    let lend = |use_it: &mut dyn FnMut(&mut Room)| use_it(&mut Room::default());
    in_pieces(parts, threads, &mut || false, lend, |room, (index, (table, mut found)), _| {
        let Room { owners, ones, sum } = room;
        let ((values, first), second) = table;
        // By row, and of a row by text.
        found.sort_unstable();
        for same in found.chunk_by(|one, other| one >> 32 == other >> 32) {
            owners.clear();
            owners.extend(same.iter().map(|&one| one as u32 as i32));
            ones.resize(ones.len().max(owners.len()), 1.0);
            sum.clear();
            sum.resize(columns, 0.0);
            let weights = &ones[..owners.len()];
            kernel.add_rows(Storage::Float32, bytemuck::cast_slice(&shares), columns, owners, weights, sum);
            let start = ((same[0] >> 32) as usize - index * part) * columns;
            let place = start..start + columns;
            kernel.adam(adam, &mut values[place.clone()], &mut first[place.clone()], &mut second[place], sum);
        }
        Ok(())
    })
}

/// The gradient of one occurrence of a row in each text: that of the average, divided by the number of rows.
fn shares(texts: Segments<'_>, columns: usize, gradient: &[f32]) -> Vec<f32> {
    let mut shares = gradient.to_vec();
    for (text, share) in shares.chunks_exact_mut(columns).enumerate() {
        let factor = 1.0 / texts.of(text).len().max(1) as f32;
        share.iter_mut().for_each(|value| *value *= factor);
    }
    shares
}

/// For each `part` rows of the table, their occurrences in the texts: the row in the upper half of a number, the
/// text in the lower one.
fn deal(texts: Segments<'_>, part: usize) -> Vec<Vec<u64>> {
    let parts = texts.n_rows().div_ceil(part);
    let mut dealt = vec![Vec::with_capacity(texts.all().len() / parts.max(1) * 5 / 4); parts];
    for text in 0..texts.len() {
        for &row in texts.of(text) {
            dealt[row as usize / part].push((row as u64) << 32 | text as u64);
        }
    }
    dealt
}

fn check(name: &str, matrix: &[f32], columns: usize, texts: Segments<'_>) -> Result<()> {
    if columns == 0 {
        return Err(Error::InvalidArgument(format!("{name}: expected at least one column, found none")));
    }
    same_length(name, texts.n_rows() * columns, matrix.len())
}
