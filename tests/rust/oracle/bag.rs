//! The embedding bag one number at a time: what `wldetect::bag` is checked against, to the bit.

use half::{bf16, f16};
use wldetect::bag::Storage;

/// Partial sums of a dot product.
const LANES: usize = 16;

/// The bytes of `value`, as near as `storage` comes to it.
pub fn bytes(storage: Storage, value: f32) -> Vec<u8> {
    match storage {
        Storage::Float32 => value.to_ne_bytes().to_vec(),
        Storage::Float16 => f16::from_f32(value).to_ne_bytes().to_vec(),
        Storage::BFloat16 => bf16::from_f32(value).to_ne_bytes().to_vec(),
    }
}

/// The value of `bytes`.
pub fn value(storage: Storage, bytes: &[u8]) -> f32 {
    match storage {
        Storage::Float32 => f32::from_ne_bytes(bytes.try_into().expect("four bytes")),
        Storage::Float16 => f16::from_ne_bytes(bytes.try_into().expect("two bytes")).to_f32(),
        Storage::BFloat16 => bf16::from_ne_bytes(bytes.try_into().expect("two bytes")).to_f32(),
    }
}

/// Column by column, the sum of the rows times their weights, in order.
pub fn sum(rows: &[Vec<f32>], weights: &[f32], columns: usize) -> Vec<f32> {
    let column = |column: usize| rows.iter().zip(weights).fold(0.0, |sum, (row, weight)| sum + weight * row[column]);
    (0..columns).map(column).collect()
}

/// The dot product of the columns of one part: sixteen sums in turn, then the upper half onto the lower one.
pub fn dot(row: &[f32], vector: &[f32]) -> f32 {
    let mut sums = vec![0.0; LANES];
    for (column, (a, b)) in row.iter().zip(vector).enumerate() {
        sums[column % LANES] += a * b;
    }
    while sums.len() > 1 {
        let upper = sums.split_off(sums.len() / 2);
        sums.iter_mut().zip(upper).for_each(|(low, high)| *low += high);
    }
    sums[0]
}
