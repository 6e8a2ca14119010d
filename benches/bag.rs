//! The embedding bag of training: weighted sums of rows, and dot products with rows, over a batch of texts, by storage,
//! width and kernel level.
//!
//! Tokens are drawn with a probability that falls with the rank, as words are, so that some rows come again and again
//! and most are cold. Throughput counts the bytes of rows: one row a token, however often it comes.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use wldetect::bag::{EmbeddingBag, Part, Storage};
use wldetect::kernel::{Kernel, Level};

#[path = "../tests/rust/oracle/bag.rs"]
mod oracle;

/// Texts of a batch, and tokens of a text: a sentence.
const TEXTS: usize = 1024;
const TOKENS: usize = 32;
/// Rows and columns: the smallest of Gemma 3, and two large models side by side, with fewer tokens than they have.
const SHAPES: [(usize, usize); 2] = [(262_144, 640), (16_384, 7_936)];

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

/// A number in -1..1.
fn number(bits: u64) -> f32 {
    (bits >> 40) as f32 / (1 << 23) as f32 - 1.0
}

/// Rows that repeat every few thousand numbers: the loops do not care, and filling is fast.
fn matrix(storage: Storage, rows: usize, columns: usize) -> Vec<u8> {
    let mut next = random_numbers();
    let pattern: Vec<u8> = (0..4099).flat_map(|_| oracle::bytes(storage, number(next()))).collect();
    let mut data = Vec::with_capacity(rows * columns * storage.size());
    while data.len() < data.capacity() {
        let left = data.capacity() - data.len();
        data.extend_from_slice(&pattern[..left.min(pattern.len())]);
    }
    data
}

/// Token ids: the rank falls off as one over itself; ranks lie anywhere in the matrix.
fn tokens(rows: usize) -> Vec<i32> {
    let mut next = random_numbers();
    let rank = |uniform: f64| ((rows as f64).powf(uniform) - 1.0) as u64;
    let mut id = || (rank((next() >> 11) as f64 / (1_u64 << 53) as f64) * 48_271 % rows as u64) as i32;
    (0..TEXTS * TOKENS).map(|_| id()).collect()
}

fn bench(criterion: &mut Criterion, rows: usize, columns: usize, storage: Storage) {
    let data = matrix(storage, rows, columns);
    let bag = EmbeddingBag::new(vec![Part::new(storage, rows, columns, &data).expect("valid")]).expect("valid");
    let ids = tokens(rows);
    let offsets: Vec<i32> = (0..TEXTS).map(|text| (text * TOKENS) as i32).collect();
    let mut next = random_numbers();
    let weights: Vec<f32> = ids.iter().map(|_| number(next())).collect();
    let gradient: Vec<f32> = (0..TEXTS * columns).map(|_| number(next())).collect();
    let row = |id: i32| -> Vec<f32> {
        let width = columns * storage.size();
        let bytes = &data[id as usize * width..][..width];
        bytes.chunks_exact(storage.size()).map(|bytes| oracle::value(storage, bytes)).collect()
    };

    for kernel in Level::ALL.into_iter().filter_map(|level| Kernel::new(level).ok()) {
        let (mut sums, mut dots) = (vec![0.0; TEXTS * columns], vec![0.0; ids.len()]);
        bag.forward_with(kernel, &ids, &offsets, &weights, None, &mut sums).expect("valid");
        bag.backward_with(kernel, &ids, &offsets, &gradient, None, &mut dots).expect("valid");
        for text in [0, TEXTS / 2, TEXTS - 1] {
            let tokens = text * TOKENS..(text + 1) * TOKENS;
            let rows: Vec<_> = ids[tokens.clone()].iter().map(|&id| row(id)).collect();
            let expected = oracle::sum(&rows, &weights[tokens.clone()], columns);
            assert_eq!(sums[text * columns..][..columns], expected, "sums of text {text}");
            let gradient = &gradient[text * columns..][..columns];
            let expected: Vec<f32> = rows.iter().map(|row| oracle::dot(row, gradient)).collect();
            assert_eq!(dots[tokens], expected, "dot products of text {text}");
        }

        let mut group =
            criterion.benchmark_group(format!("bag/{}/{columns}/{}", storage.name(), kernel.level().name()));
        group.throughput(Throughput::Bytes((ids.len() * columns * storage.size()) as u64));
        for (name, threads) in [("one thread", Some(1)), ("every core", None)] {
            group.bench_function(format!("sums, {name}"), |bencher| {
                bencher.iter(|| bag.forward_with(kernel, black_box(&ids), &offsets, &weights, threads, &mut sums));
            });
            group.bench_function(format!("dot products, {name}"), |bencher| {
                bencher.iter(|| bag.backward_with(kernel, black_box(&ids), &offsets, &gradient, threads, &mut dots));
            });
        }
        group.finish();
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(2))
        .sample_size(10)
        .configure_from_args();
    for (rows, columns) in SHAPES {
        for storage in Storage::ALL {
            bench(&mut criterion, rows, columns, storage);
        }
    }
    criterion.final_summary();
}
