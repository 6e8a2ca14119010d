//! Decoding and encoding of both FP8 formats. Throughput counts the bytes that are read: codes, or float32 values.
//! Decoding runs at the kernel level of the process; `WLDETECT_KERNEL` chooses another.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use wldetect::Format;

#[path = "../tests/rust/oracle/fp8.rs"]
mod oracle;

/// Values in each call: well past the caches of one core.
const LENGTH: usize = 1 << 20;

/// Logits as a table has them: most small, of either sign, and a few past the largest finite value.
fn logits(format: Format) -> Vec<f32> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let uniform = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    });
    uniform.take(LENGTH).map(|u| u * u * u * 1.05 * format.max_finite()).collect()
}

fn assert_equal_to_the_oracle(format: Format, values: &[f32], codes: &[u8], decoded: &[f32]) {
    let magnitudes = oracle::finite_magnitudes(format);
    for ((&value, &code), &back) in values.iter().zip(codes).zip(decoded) {
        assert_eq!(Some(code), oracle::encode(&magnitudes, value), "{} of {value:e}", format.name());
        assert_eq!(f64::from(back), oracle::decode(format, code), "{} of {code:#04x}", format.name());
    }
    let saturated = codes.iter().filter(|&&code| code & 0x7F == format.max_finite_code()).count();
    assert!((1..LENGTH / 10).contains(&saturated), "{saturated} values saturate");
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(30)
        .configure_from_args();
    for format in Format::ALL {
        let values = logits(format);
        let (mut codes, mut decoded) = (vec![0; LENGTH], vec![0.0; LENGTH]);
        format.encode_slice(&values, &mut codes).expect("no value is NaN");
        format.decode_slice(&codes, &mut decoded).expect("as many values as codes");
        assert_equal_to_the_oracle(format, &values, &codes, &decoded);

        let mut group = criterion.benchmark_group("fp8/decode");
        group.throughput(Throughput::Bytes(LENGTH as u64));
        group.bench_function(format.name(), |bencher| {
            bencher.iter(|| format.decode_slice(black_box(&codes), black_box(&mut decoded)));
        });
        group.finish();

        let mut group = criterion.benchmark_group("fp8/encode");
        group.throughput(Throughput::Bytes(size_of_val(&values[..]) as u64));
        group.bench_function(format.name(), |bencher| {
            bencher.iter(|| format.encode_slice(black_box(&values), black_box(&mut codes)));
        });
        group.finish();
    }
    criterion.final_summary();
}
