//! Gathering and pooling rows of a table of the real size: each pooling, dtype, kernel level and text length, warm and
//! cold; then softmax of the logits.
//!
//! Warm: the same ids again and again, so that their rows stay in the nearest cache that holds them. Cold: other rows
//! each time, in random order over the whole table, none again before every row was read; what answers is whatever
//! level holds the whole table (39 MB in FP8, 155 MB in float32). Real texts lie between the two, since frequent
//! tokens are frequent. Throughput counts tokens, each of them a row; for softmax, logits.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use wldetect::kernel::{Kernel, Level};
use wldetect::pooling::{Scratch, best_with, pool_with, softmax_with};
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

/// The kernels of this CPU.
fn kernels() -> Vec<Kernel> {
    Level::ALL.into_iter().filter_map(|level| Kernel::new(level).ok()).collect()
}

fn bench_pooling(criterion: &mut Criterion, rows: &[u32], dtype: DType) {
    let data = table_bytes(dtype);
    let table = Table::new(dtype, ROWS, COLUMNS, SCALE, &data, None).expect("a valid table");
    let (mut scratch, mut logits) = (Scratch::default(), vec![0.0; COLUMNS]);
    for (pooling, kernel) in
        Pooling::ALL.into_iter().flat_map(|pooling| kernels().into_iter().map(move |k| (pooling, k)))
    {
        let name = format!("pooling/{}/{}/{}", pooling.name(), dtype.name(), kernel.level().name());
        let mut group = criterion.benchmark_group(name);
        for length in LENGTHS {
            for ids in rows.chunks_exact(length).step_by(ROWS / length / 8) {
                let count = pool_with(kernel, &table, ids, pooling, &mut scratch, &mut logits).expect("room");
                assert_eq!(count, length);
                let expected = oracle::pool(|id| Some(row_of(dtype, &data, id)), ids, pooling).expect("rows");
                oracle::assert_close(&logits, &expected, 8.0);
            }

            group.throughput(Throughput::Elements(length as u64));
            let mut run =
                |ids| pool_with(kernel, &table, black_box(ids), pooling, &mut scratch, black_box(&mut logits));
            let warm = &rows[..length];
            group.bench_function(format!("{length} ids, warm"), |bencher| bencher.iter(|| run(warm)));
            let mut texts = rows.chunks_exact(length).cycle();
            group.bench_function(format!("{length} ids, cold"), |bencher| {
                bencher.iter(|| run(texts.next().expect("a cycle does not end")));
            });
        }
        group.finish();
    }
}

fn bench_softmax(criterion: &mut Criterion) {
    let mut next = random_numbers();
    let logits: Vec<f32> = (0..COLUMNS).map(|_| (next() >> 40) as f32 / (1 << 20) as f32 - 8.0).collect();
    let exponentials: Vec<f64> = logits.iter().map(|&logit| f64::from(logit).exp()).collect();
    let total: f64 = exponentials.iter().sum();
    for kernel in kernels() {
        let mut probabilities = logits.clone();
        softmax_with(kernel, &mut probabilities, 1.0);
        for (&found, expected) in probabilities.iter().zip(&exponentials) {
            assert!((f64::from(found) - expected / total).abs() < 1e-6, "{found} for {}", expected / total);
        }
        let (language, probability) = best_with(kernel, &logits, 1.0).expect("148 logits");
        assert!(probabilities.iter().all(|&other| other <= probability));
        assert_eq!(probabilities[language], probability);

        let mut group = criterion.benchmark_group(format!("softmax/{}", kernel.level().name()));
        group.throughput(Throughput::Elements(COLUMNS as u64));
        group.bench_function("all", |bencher| {
            bencher.iter(|| {
                probabilities.copy_from_slice(black_box(&logits));
                softmax_with(kernel, black_box(&mut probabilities), black_box(1.0));
            });
        });
        group.bench_function("best", |bencher| bencher.iter(|| best_with(kernel, black_box(&logits), black_box(1.0))));
        group.finish();
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300))
        .sample_size(10)
        .configure_from_args();
    bench_softmax(&mut criterion);
    let rows = shuffled_rows();
    for dtype in DType::ALL {
        bench_pooling(&mut criterion, &rows, dtype);
    }
    criterion.final_summary();
}
