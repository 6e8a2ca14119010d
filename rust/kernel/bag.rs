//! Weighted sums of rows, and dot products with rows, of wide matrices in float32, float16 or bfloat16.
//!
//! Rows are read as bytes, so they may lie anywhere in memory. Products are rounded before they are added, sums are
//! taken in the order of the rows, and dot products in [`LANES`] partial sums, however wide the vectors are.

use super::prefetch;

/// Rows summed at a time, one block of columns after another: as many as keep their place in the nearest cache.
const CHUNK: usize = 32;
/// Columns whose sums are kept in registers while the rows of a chunk are read.
const BLOCK: usize = 32;
/// Columns between asking for a row's values and reading them.
const AHEAD: usize = 4 * BLOCK;
/// Partial sums of a dot product: column `c` goes to number `c % LANES`.
const LANES: usize = 16;
/// Dot products taken at a time, so that the vector they share is read once for all of them.
const GROUP: usize = 4;
/// Bytes of a cache line.
const LINE: usize = 64;

/// A way to store a number.
trait Stored {
    /// Its bytes, in the order of this CPU.
    type Raw: Copy;

    /// `data` as numbers; bytes past the last whole one are left out.
    fn numbers(data: &[u8]) -> &[Self::Raw];

    fn value(raw: Self::Raw) -> f32;
}

struct Float32;
struct Float16;
struct BFloat16;

impl Stored for Float32 {
    type Raw = [u8; 4];

    #[inline(always)]
    fn numbers(data: &[u8]) -> &[[u8; 4]] {
        data.as_chunks().0
    }

    #[inline(always)]
    fn value(raw: [u8; 4]) -> f32 {
        f32::from_ne_bytes(raw)
    }
}

impl Stored for Float16 {
    type Raw = [u8; 2];

    #[inline(always)]
    fn numbers(data: &[u8]) -> &[[u8; 2]] {
        data.as_chunks().0
    }

    #[inline(always)]
    fn value(raw: [u8; 2]) -> f32 {
        float16(u16::from_ne_bytes(raw))
    }
}

impl Stored for BFloat16 {
    type Raw = [u8; 2];

    #[inline(always)]
    fn numbers(data: &[u8]) -> &[[u8; 2]] {
        data.as_chunks().0
    }

    /// A bfloat16 is the upper half of a float32.
    #[inline(always)]
    fn value(raw: [u8; 2]) -> f32 {
        f32::from_bits(u32::from(u16::from_ne_bytes(raw)) << 16)
    }
}

/// The value of a float16, without a branch, so that the compiler makes vectors of it.
#[inline(always)]
pub(super) fn float16(bits: u16) -> f32 {
    /// What the exponents differ by, and the least normal number of a float16, as bits of a float32.
    const BIAS: u32 = (127 - 15) << 23;
    const LEAST: u32 = (127 - 14) << 23;
    let (sign, magnitude) = (u32::from(bits & 0x8000) << 16, u32::from(bits & 0x7FFF) << 13);
    // Infinity and NaN have the largest exponent in either format.
    let normal = magnitude + BIAS + if bits & 0x7C00 == 0x7C00 { BIAS } else { 0 };
    // A subnormal becomes a fraction of the least normal number, which is taken off again: exact, and never a
    // subnormal float32, which some CPUs are slow at.
    let subnormal = (f32::from_bits(magnitude + LEAST) - f32::from_bits(LEAST)).to_bits();
    f32::from_bits(sign | if bits & 0x7C00 == 0 { subnormal } else { normal })
}

/// Defines the two loops of a storage under their own names, for `compile_portable`.
macro_rules! loops {
    ($storage:ident, $add:ident, $dot:ident) => {
        #[inline(always)]
        pub(super) fn $add(data: &[u8], columns: usize, rows: &[i32], weights: &[f32], sums: &mut [f32]) {
            add_rows::<$storage>(data, columns, rows, weights, sums);
        }

        #[inline(always)]
        pub(super) fn $dot(data: &[u8], columns: usize, rows: &[i32], vector: &[f32], dots: &mut [f32]) {
            dot_rows::<$storage>(data, columns, rows, vector, dots);
        }
    };
}

loops!(Float32, add_float32_rows, dot_float32_rows);
loops!(Float16, add_float16_rows, dot_float16_rows);
loops!(BFloat16, add_bfloat16_rows, dot_bfloat16_rows);

#[inline(always)]
fn row<S: Stored>(data: &[u8], columns: usize, row: i32) -> &[S::Raw] {
    &S::numbers(data)[row as usize * columns..][..columns]
}

/// Asks for `count` numbers of `row` from `first` on; those that are not there do nothing.
#[inline(always)]
fn ask<T>(row: &[T], first: usize, count: usize) {
    for offset in (0..count).step_by(LINE / size_of::<T>()) {
        prefetch::entry(row, first + offset);
    }
}

#[inline(always)]
fn add_rows<S: Stored>(data: &[u8], columns: usize, rows: &[i32], weights: &[f32], sums: &mut [f32]) {
    assert!(rows.len() == weights.len() && sums.len() == columns);
    let mut starts: [&[S::Raw]; CHUNK] = [&[]; CHUNK];
    for (rows, weights) in rows.chunks(CHUNK).zip(weights.chunks(CHUNK)) {
        let starts = &mut starts[..rows.len()];
        for (start, &number) in starts.iter_mut().zip(rows) {
            *start = row::<S>(data, columns, number);
            ask(start, 0, AHEAD);
        }
        let rest = add_blocks::<S, BLOCK>(starts, weights, sums);
        let rest = add_blocks::<S, 8>(starts, weights, rest);
        add_blocks::<S, 1>(starts, weights, rest);
    }
}

/// Adds the last columns of `rows`, as many as `sums` has places, in whole blocks of `N`; returns the places left over.
#[inline(always)]
fn add_blocks<'s, S: Stored, const N: usize>(
    rows: &[&[S::Raw]],
    weights: &[f32],
    sums: &'s mut [f32],
) -> &'s mut [f32] {
    let Some(columns) = rows.first().map(|row| row.len()) else { return sums };
    let start = columns - sums.len();
    let (blocks, rest) = sums.as_chunks_mut::<N>();
    for (block, sums) in blocks.iter_mut().enumerate() {
        add_block::<S, N>(rows, weights, start + block * N, sums);
    }
    rest
}

/// Adds the columns from `first` on of each of `rows`, times its weight, to `sums`.
#[inline(always)]
fn add_block<S: Stored, const N: usize>(rows: &[&[S::Raw]], weights: &[f32], first: usize, sums: &mut [f32; N]) {
    let mut totals = *sums;
    for (row, &weight) in rows.iter().zip(weights) {
        if N == BLOCK {
            ask(row, first + AHEAD, N);
        }
        let numbers: &[S::Raw; N] = row[first..first + N].try_into().expect("a slice of N");
        for lane in 0..N {
            totals[lane] += weight * S::value(numbers[lane]);
        }
    }
    *sums = totals;
}

#[inline(always)]
fn dot_rows<S: Stored>(data: &[u8], columns: usize, rows: &[i32], vector: &[f32], dots: &mut [f32]) {
    assert!(rows.len() == dots.len() && vector.len() == columns);
    let (groups, last_rows) = rows.as_chunks::<GROUP>();
    let (group_dots, last_dots) = dots.as_chunks_mut::<GROUP>();
    for (index, (group, dots)) in groups.iter().zip(group_dots).enumerate() {
        let next = groups.get(index + 1).unwrap_or(group).map(|number| row::<S>(data, columns, number));
        dot_group::<S, GROUP>(group.map(|number| row::<S>(data, columns, number)), next, vector, dots);
    }
    for (&number, dot) in last_rows.iter().zip(last_dots) {
        let row = row::<S>(data, columns, number);
        dot_group::<S, 1>([row], [row], vector, std::array::from_mut(dot));
    }
}

/// Adds the dot product of `vector` with each of `rows` to its place in `dots`; asks for the rows `next`.
#[inline(always)]
fn dot_group<S: Stored, const N: usize>(
    rows: [&[S::Raw]; N],
    next: [&[S::Raw]; N],
    vector: &[f32],
    dots: &mut [f32; N],
) {
    let mut sums = [[0.0; LANES]; N];
    let (blocks, rest) = vector.as_chunks::<LANES>();
    for (block, vector) in blocks.iter().enumerate() {
        let first = block * LANES;
        for index in 0..N {
            if first.is_multiple_of(LINE / size_of::<S::Raw>()) {
                ask(next[index], first, 1);
            }
            sums[index] = multiply_add::<S>(sums[index], vector, rows[index], first);
        }
    }
    let done = blocks.len() * LANES;
    for (index, (row, dot)) in rows.iter().zip(dots).enumerate() {
        let sums = &mut sums[index];
        for (lane, (value, &raw)) in rest.iter().zip(&row[done..]).enumerate() {
            sums[lane] += value * S::value(raw);
        }
        *dot += total(sums);
    }
}

#[inline(always)]
fn multiply_add<S: Stored>(
    mut sums: [f32; LANES],
    vector: &[f32; LANES],
    row: &[S::Raw],
    first: usize,
) -> [f32; LANES] {
    let numbers: &[S::Raw; LANES] = row[first..first + LANES].try_into().expect("a slice of LANES");
    for lane in 0..LANES {
        sums[lane] += vector[lane] * S::value(numbers[lane]);
    }
    sums
}

/// The sum of the lanes: the upper half onto the lower one, until one is left.
#[inline(always)]
fn total(sums: &mut [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
        half /= 2;
    }
    sums[0]
}
