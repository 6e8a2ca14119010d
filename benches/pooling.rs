//! Gathering and pooling rows of a table of the real size: each pooling, dtype and text length, warm and cold.
//!
//! Warm: the same ids again and again, so that their rows stay in the nearest cache that holds them. Cold: other rows
//! each time, in random order over the whole table, none again before every row was read; what answers is whatever
//! level holds the whole table (39 MB in FP8, 155 MB in float32). Real texts lie between the two, since frequent
//! tokens are frequent. Throughput counts the bytes of the rows that are read, once each.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use wldetect::pooling::{Scratch, pool};
use wldetect::{DType, Pooling, Table};

#[path = "../tests/rust/oracle/pooling.rs"]
mod oracle;

/// Tokens of Gemma 3's vocabulary, and the languages of the larger configuration.
const ROWS: usize = 262_144;
const COLUMNS: usize = 148;
const SCALE: f32 = 0.75;
/// Tokens of a text: a few words, a sentence, the longest there is.
const LENGTHS: [usize; 3] = [8, 32, 512];

/// Xorshift: the same numbers in every run.
fn random_numbers() -> impl FnMut() -> u64 {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

/// The bytes of a table of values in -8..8.
fn table_bytes(dtype: DType) -> Vec<u8> {
    let mut next = random_numbers();
    let mut data = Vec::with_capacity(ROWS * COLUMNS * dtype.size());
    for _ in 0..ROWS * COLUMNS {
        let value = (next() >> 40) as f32 / (1 << 20) as f32 - 8.0;
        match dtype {
            DType::Fp8(format) => data.push(format.encode(value).expect("not NaN")),
            DType::Float32 => data.extend(value.to_le_bytes()),
        }
    }
    data
}

/// Every row number once, in random order.
fn shuffled_rows() -> Vec<u32> {
    let mut next = random_numbers();
    let mut rows: Vec<u32> = (0..ROWS as u32).collect();
    for last in (1..ROWS).rev() {
        rows.swap(last, (next() % (last as u64 + 1)) as usize);
    }
    rows
}

fn row_of(dtype: DType, data: &[u8], id: u32) -> Vec<f64> {
    let width = COLUMNS * dtype.size();
    let decode = |bytes: &[u8]| match dtype {
        DType::Fp8(format) => format.decode(bytes[0]),
        DType::Float32 => f32::from_le_bytes(bytes.try_into().expect("four bytes")),
    };
    let row = data[id as usize * width..][..width].chunks_exact(dtype.size());
    row.map(|bytes| f64::from(decode(bytes)) * f64::from(SCALE)).collect()
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .sample_size(20)
        .configure_from_args();
    let rows = shuffled_rows();
    let (mut scratch, mut logits) = (Scratch::default(), vec![0.0; COLUMNS]);
    for dtype in DType::ALL {
        let data = table_bytes(dtype);
        let table = Table::new(dtype, ROWS, COLUMNS, SCALE, &data, None).expect("a valid table");
        for pooling in Pooling::ALL {
            for length in LENGTHS {
                for ids in rows.chunks_exact(length).step_by(ROWS / length / 8) {
                    assert_eq!(pool(&table, ids, pooling, &mut scratch, &mut logits).expect("room"), length);
                    let expected = oracle::pool(|id| Some(row_of(dtype, &data, id)), ids, pooling).expect("rows");
                    oracle::assert_close(&logits, &expected, 8.0);
                }

                let mut group = criterion.benchmark_group(format!("pooling/{}/{}", pooling.name(), dtype.name()));
                group.throughput(Throughput::Bytes((length * COLUMNS * dtype.size()) as u64));
                let warm = &rows[..length];
                group.bench_function(format!("{length} ids, warm"), |bencher| {
                    bencher.iter(|| pool(&table, black_box(warm), pooling, &mut scratch, black_box(&mut logits)));
                });
                let mut texts = rows.chunks_exact(length).cycle();
                group.bench_function(format!("{length} ids, cold"), |bencher| {
                    bencher.iter(|| {
                        let cold = texts.next().expect("a cycle does not end");
                        pool(&table, black_box(cold), pooling, &mut scratch, black_box(&mut logits))
                    });
                });
                group.finish();
            }
        }
    }
    criterion.final_summary();
}
