//! Without vector instructions beyond the target's own: codes are looked up. What the other levels must agree with.

use super::prefetch;
use crate::fp8::Format;

pub(super) use super::portable::{
    adam, add_bfloat16_rows, add_float16_rows, add_float32_rows, add_sums, best, decode_e3m4, decode_e4m3fn,
    dot_bfloat16_rows, dot_float16_rows, dot_float32_rows, hash_ngrams, max_codes, project, scale, softmax, sum_floats,
    sum_values,
};

pub(super) fn sum_e3m4(data: &[u8], columns: usize, rows: &[u32], sums: &mut [i32]) {
    sum(Format::E3M4.multiples(), data, columns, rows, sums);
}

pub(super) fn sum_e4m3fn(data: &[u8], columns: usize, rows: &[u32], sums: &mut [i32]) {
    sum(Format::E4M3FN.multiples(), data, columns, rows, sums);
}

fn sum(multiples: &[i32; 256], data: &[u8], columns: usize, rows: &[u32], sums: &mut [i32]) {
    for row in prefetch::ahead(data, columns, rows) {
        let codes = &data[row as usize * columns..][..columns];
        for (sum, &code) in sums.iter_mut().zip(codes) {
            *sum += multiples[code as usize];
        }
    }
}
