//! Loops that the compiler turns into vectors, compiled once for each level.
//!
//! Nothing here multiplies and adds in one rounding, and every floating-point sum has a fixed order, so the bits do
//! not depend on how wide the vectors are.

use super::prefetch;
use crate::fp8::Format;
use crate::ngrams::Hashing;
use crate::rows::Adam;

pub(super) use super::bag::{
    add_bfloat16_rows, add_float16_rows, add_float32_rows, dot_bfloat16_rows, dot_float16_rows, dot_float32_rows,
};
pub(super) use super::softmax::{best, softmax};

/// Codes a step: what the compiler unrolls into whole vectors.
const LANES: usize = 16;

/// Columns of a projection that are summed at once: what fits the registers of every level.
pub(crate) const PROJECTED: usize = 32;

/// A code as a number that orders as its value does: zero for zero, the largest for the largest.
#[inline(always)]
pub(crate) const fn key(code: u8) -> i8 {
    // A negative code is its magnitude and the sign bit; with the magnitude's bits turned over, it counts downwards.
    (code ^ (((code as i8) >> 7) as u8 & 0x7F)) as i8
}

/// The code of a key.
#[inline(always)]
pub(crate) const fn code(key: i8) -> u8 {
    key as u8 ^ ((key >> 7) as u8 & 0x7F)
}

#[inline(always)]
fn row(data: &[u8], bytes: usize, row: u32) -> &[u8] {
    &data[row as usize * bytes..][..bytes]
}

/// Calls `each` with every target and its source, `LANES` at a step, then four, then one.
#[inline(always)]
fn zip<T, S: Copy>(targets: &mut [T], sources: &[S], each: impl Fn(&mut T, S)) {
    let (targets, sources) = zip_blocks::<LANES, T, S>(targets, sources, &each);
    let (targets, sources) = zip_blocks::<4, T, S>(targets, sources, &each);
    zip_blocks::<1, T, S>(targets, sources, &each);
}

/// Calls `each` for every whole block of `N` and returns what is left.
#[inline(always)]
fn zip_blocks<'t, 's, const N: usize, T, S: Copy>(
    targets: &'t mut [T],
    sources: &'s [S],
    each: &impl Fn(&mut T, S),
) -> (&'t mut [T], &'s [S]) {
    let (targets, last_targets) = targets.as_chunks_mut::<N>();
    let (sources, last_sources) = sources.as_chunks::<N>();
    for (targets, sources) in targets.iter_mut().zip(sources) {
        for lane in 0..N {
            each(&mut targets[lane], sources[lane]);
        }
    }
    (last_targets, last_sources)
}

#[inline(always)]
pub(super) fn sum_e4m3fn(data: &[u8], columns: usize, rows: &[u32], sums: &mut [i32]) {
    for number in prefetch::ahead(data, columns, rows) {
        zip(sums, row(data, columns, number), |sum, code| *sum += Format::E4M3FN.multiple(code));
    }
}

#[inline(always)]
pub(super) fn max_codes(data: &[u8], columns: usize, rows: &[u32], keys: &mut [i8]) {
    for number in prefetch::ahead(data, columns, rows) {
        zip(keys, row(data, columns, number), |largest, code| *largest = key(code).max(*largest));
    }
}

#[inline(always)]
pub(super) fn sum_values(values: &[f64; 256], data: &[u8], columns: usize, rows: &[u32], sums: &mut [f64]) {
    let row = |number| row(data, columns, number);
    // Four rows a pass read and write the sums a quarter as often.
    let (fours, rest) = rows.as_chunks::<4>();
    let ask = |rows: &[u32]| rows.iter().for_each(|&number| prefetch::row(data, columns, number));
    ask(&rows[..rows.len().min(prefetch::DISTANCE)]);
    for (index, &[a, b, c, d]) in fours.iter().enumerate() {
        if let Some(next) = fours.get(index + prefetch::DISTANCE / 4) {
            ask(next);
        }
        for ((((sum, &a), &b), &c), &d) in sums.iter_mut().zip(row(a)).zip(row(b)).zip(row(c)).zip(row(d)) {
            *sum = (((*sum + values[a as usize]) + values[b as usize]) + values[c as usize]) + values[d as usize];
        }
    }
    for &number in rest {
        for (sum, &code) in sums.iter_mut().zip(row(number)) {
            *sum += values[code as usize];
        }
    }
}

#[inline(always)]
pub(super) fn sum_floats(data: &[u8], columns: usize, rows: &[u32], sums: &mut [f64]) {
    for number in prefetch::ahead(data, columns * 4, rows) {
        let (values, _) = row(data, columns * 4, number).as_chunks::<4>();
        zip(sums, values, |sum, value| *sum += f64::from(f32::from_le_bytes(value)));
    }
}

#[inline(always)]
pub(super) fn add_sums(sums: &[i32], totals: &mut [f64]) {
    zip(totals, sums, |total, sum| *total += f64::from(sum));
}

#[inline(always)]
pub(super) fn hash_ngrams(hashing: Hashing, units: &[u32], length: usize, found: &mut [u32]) -> usize {
    hashing.ngrams(units, length, found)
}

#[inline(always)]
pub(super) fn scale(totals: &[f64], factor: f64, logits: &mut [f32]) {
    zip(logits, totals, |logit, total| *logit = (total * factor) as f32);
}

#[inline(always)]
pub(super) fn project(numbers: &[f32], blocks: &[f32], logits: &mut [f32]) {
    for (block, logits) in blocks.chunks_exact(numbers.len() * PROJECTED).zip(logits.chunks_mut(PROJECTED)) {
        let mut sums = [0.0; PROJECTED];
        for (number, row) in numbers.iter().zip(block.as_chunks::<PROJECTED>().0) {
            for lane in 0..PROJECTED {
                sums[lane] += number * row[lane];
            }
        }
        for (logit, sum) in logits.iter_mut().zip(sums) {
            *logit += sum;
        }
    }
}

#[inline(always)]
pub(super) fn decode_e3m4(codes: &[u8], values: &mut [f32]) {
    zip(values, codes, |value, code| *value = Format::E3M4.decode_bits(code));
}

#[inline(always)]
pub(super) fn decode_e4m3fn(codes: &[u8], values: &mut [f32]) {
    zip(values, codes, |value, code| *value = Format::E4M3FN.decode_bits(code));
}

#[inline(always)]
pub(super) fn adam(step: &Adam, values: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32]) {
    step.update(values, first, second, gradient);
}
