//! The embedding bag: every storage, level and number of threads against the oracle, to the bit; and what it refuses.

use proptest::prelude::*;
use wldetect::bag::{EmbeddingBag, Part, Storage};
use wldetect::kernel::{Kernel, Level};

#[path = "oracle/bag.rs"]
mod oracle;

/// The kernels that can be tested here; says which cannot.
fn kernels() -> Vec<Kernel> {
    let (supported, lacking): (Vec<Level>, Vec<Level>) = Level::ALL.into_iter().partition(|level| level.is_supported());
    for level in lacking {
        eprintln!("skipped: this CPU does not have {}", level.name());
    }
    supported.into_iter().map(|level| Kernel::new(level).expect("supported")).collect()
}

fn numbers(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 32
    }
}

/// A number in -4..4.
fn number(bits: u64) -> f32 {
    (bits as u32 as i32) as f32 / 2_f32.powi(29)
}

/// One part, at an odd place in memory as likely as not.
#[derive(Clone, Debug)]
struct Matrix {
    storage: Storage,
    columns: usize,
    offset: usize,
    bytes: Vec<u8>,
}

impl Matrix {
    fn random(storage: Storage, rows: usize, columns: usize, offset: usize, next: &mut impl FnMut() -> u64) -> Self {
        let mut bytes = vec![0; offset];
        (0..rows * columns).for_each(|_| bytes.extend(oracle::bytes(storage, number(next()))));
        Self { storage, columns, offset, bytes }
    }

    fn part(&self, rows: usize) -> Part<'_> {
        Part::new(self.storage, rows, self.columns, &self.bytes[self.offset..]).expect("valid")
    }

    fn row(&self, id: i32) -> Vec<f32> {
        let size = self.storage.size();
        let row = &self.bytes[self.offset + id as usize * self.columns * size..][..self.columns * size];
        row.chunks_exact(size).map(|bytes| oracle::value(self.storage, bytes)).collect()
    }
}

#[derive(Clone, Debug)]
struct Case {
    rows: usize,
    matrices: Vec<Matrix>,
    ids: Vec<i32>,
    offsets: Vec<i32>,
    weights: Vec<f32>,
    gradient: Vec<f32>,
}

impl Case {
    fn new(rows: usize, shapes: &[(Storage, usize, usize)], lengths: &[usize], seed: u64) -> Self {
        let mut next = numbers(seed);
        let matrices: Vec<_> = shapes
            .iter()
            .map(|&(storage, columns, offset)| Matrix::random(storage, rows, columns, offset, &mut next))
            .collect();
        let columns: usize = matrices.iter().map(|matrix| matrix.columns).sum();
        let total: usize = lengths.iter().sum();
        let mut end = 0;
        let mut start = |length: usize| {
            end += length as i32;
            end - length as i32
        };
        Self {
            rows,
            offsets: lengths.iter().map(|&length| start(length)).collect(),
            ids: (0..total).map(|_| (next() % rows as u64) as i32).collect(),
            weights: (0..total).map(|_| number(next())).collect(),
            gradient: (0..lengths.len() * columns).map(|_| number(next())).collect(),
            matrices,
        }
    }

    fn bag(&self) -> EmbeddingBag<'_> {
        EmbeddingBag::new(self.matrices.iter().map(|matrix| matrix.part(self.rows)).collect()).expect("valid")
    }

    /// Sums and dot products by the oracle.
    fn expected(&self) -> (Vec<f32>, Vec<f32>) {
        let (mut sums, mut dots) = (Vec::new(), Vec::new());
        let columns: usize = self.matrices.iter().map(|matrix| matrix.columns).sum();
        for text in 0..self.offsets.len() {
            let end = self.offsets.get(text + 1).map_or(self.ids.len(), |&offset| offset as usize);
            let tokens = self.offsets[text] as usize..end;
            for matrix in &self.matrices {
                let rows: Vec<_> = self.ids[tokens.clone()].iter().map(|&id| matrix.row(id)).collect();
                sums.extend(oracle::sum(&rows, &self.weights[tokens.clone()], matrix.columns));
            }
            for &id in &self.ids[tokens] {
                let mut first = text * columns;
                let mut dot = 0.0;
                for matrix in &self.matrices {
                    dot += oracle::dot(&matrix.row(id), &self.gradient[first..first + matrix.columns]);
                    first += matrix.columns;
                }
                dots.push(dot);
            }
        }
        (sums, dots)
    }

    fn check(&self) {
        let bag = self.bag();
        let (expected_sums, expected_dots) = self.expected();
        for kernel in kernels() {
            for threads in [None, Some(1), Some(2), Some(5)] {
                let name = format!("{}, {threads:?} threads", kernel.level().name());
                let mut sums = vec![f32::NAN; expected_sums.len()];
                bag.forward_with(kernel, &self.ids, &self.offsets, &self.weights, threads, &mut sums).expect("valid");
                assert_eq!(bits(&sums), bits(&expected_sums), "sums, {name}");
                let mut dots = vec![f32::NAN; expected_dots.len()];
                bag.backward_with(kernel, &self.ids, &self.offsets, &self.gradient, threads, &mut dots).expect("valid");
                assert_eq!(bits(&dots), bits(&expected_dots), "dot products, {name}");
            }
        }
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn storages() -> impl Strategy<Value = Storage> {
    prop::sample::select(Storage::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_level_and_number_of_threads_equals_the_oracle(
        rows in 1_usize..24,
        shapes in prop::collection::vec((storages(), 1_usize..150, 0_usize..4), 1..4),
        lengths in prop::collection::vec(prop_oneof![0_usize..7, 0_usize..80], 0..9),
        seed: u64,
    ) {
        Case::new(rows, &shapes, &lengths, seed).check();
    }
}

#[test]
fn many_pieces_equal_the_oracle() {
    // 22 kB a row and 700 tokens: 15 pieces of 1 MiB.
    let shapes = [(Storage::BFloat16, 5003, 1), (Storage::Float32, 2001, 2), (Storage::Float16, 2000, 0)];
    let lengths: Vec<usize> = (0..70).map(|text| if text == 30 { 300 } else { text % 13 }).collect();
    Case::new(50, &shapes, &lengths, 7).check();
}

#[test]
fn every_half_precision_number_counts_its_value() {
    for storage in [Storage::Float16, Storage::BFloat16] {
        let data: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_ne_bytes).collect();
        let bag = EmbeddingBag::new(vec![Part::new(storage, 1, 1 << 16, &data).expect("valid")]).expect("valid");
        for kernel in kernels() {
            let mut values = vec![0.0; 1 << 16];
            bag.forward_with(kernel, &[0], &[0], &[1.0], None, &mut values).expect("valid");
            for (found, bytes) in values.iter().zip(data.chunks_exact(2)) {
                let expected = oracle::value(storage, bytes);
                // Zero plus minus zero is zero; every other number keeps its bits.
                let same = found.to_bits() == (0.0 + expected).to_bits() || found.is_nan() && expected.is_nan();
                assert!(same, "{} {bytes:?}: found {found:e}, expected {expected:e}", storage.name());
            }
        }
    }
}

#[test]
fn weights_times_rows_in_plain_numbers() {
    let data: Vec<u8> = [1.0_f32, 2.0, 10.0, 20.0, 100.0, 200.0].into_iter().flat_map(f32::to_ne_bytes).collect();
    let bag = EmbeddingBag::new(vec![Part::new(Storage::Float32, 3, 2, &data).expect("valid")]).expect("valid");
    assert_eq!((bag.rows(), bag.columns()), (3, 2));
    let (ids, offsets) = ([2, 0, 2, 1], [0, 0, 3]);
    let mut sums = [f32::NAN; 6];
    bag.forward(&ids, &offsets, &[1.0, -1.0, 0.5, 3.0], None, &mut sums).expect("valid");
    assert_eq!(sums, [0.0, 0.0, 149.0, 298.0, 30.0, 60.0]);
    let mut dots = [f32::NAN; 4];
    bag.backward(&ids, &offsets, &[9.0, 9.0, 1.0, 0.0, 0.5, 0.25], None, &mut dots).expect("valid");
    assert_eq!(dots, [100.0, 1.0, 100.0, 10.0]);
}

#[test]
fn what_cannot_be_is_refused() {
    let data = [0; 24];
    let part = |rows, columns| Part::new(Storage::Float32, rows, columns, &data);
    let text = |error: wldetect::Error| error.to_string();
    for (rows, columns) in [(3, 1), (0, 2), (6, 0), (usize::MAX, 2), (3, usize::MAX)] {
        let expected = format!(
            "part: expected the bytes of {rows} rows of at least one float32 each, found {columns} columns and 24 bytes"
        );
        assert_eq!(text(part(rows, columns).unwrap_err()), expected);
    }
    let parts = vec![part(3, 2).expect("valid"), part(6, 1).expect("valid")];
    assert_eq!(text(EmbeddingBag::new(parts).unwrap_err()), "parts[1]: expected 3 rows, found 6");
    assert_eq!(text(EmbeddingBag::new(Vec::new()).unwrap_err()), "parts: expected at least one, found none");

    let bag = EmbeddingBag::new(vec![part(3, 2).expect("valid")]).expect("valid");
    let both = |ids: &[i32], offsets: &[i32]| {
        let (weights, mut sums) = (vec![0.0; ids.len()], vec![0.0; 2 * offsets.len()]);
        let forward = text(bag.forward(ids, offsets, &weights, None, &mut sums).unwrap_err());
        let backward = text(bag.backward(ids, offsets, &sums, None, &mut weights.clone()).unwrap_err());
        assert_eq!(forward, backward);
        forward
    };
    assert_eq!(both(&[0, 3], &[0]), "ids[1]: expected a row below 3, found 3");
    assert_eq!(both(&[0, 2, -1], &[0]), "ids[2]: expected a row below 3, found -1");
    assert_eq!(both(&[0, 1], &[]), "offsets: expected a text for 2 ids, found none");
    assert_eq!(both(&[0, 1], &[1]), "offsets[0]: expected 0 to 0, found 1");
    assert_eq!(both(&[0, 1], &[0, -1]), "offsets[1]: expected 0 to 2, found -1");
    assert_eq!(both(&[0, 1], &[0, 3]), "offsets[1]: expected 0 to 2, found 3");
    assert_eq!(both(&[0, 1], &[0, 2, 1]), "offsets[2]: expected 2 to 2, found 1");
    let found = |weights: &[f32], sums: &mut [f32], threads| {
        text(bag.forward(&[0, 1], &[0], weights, threads, sums).unwrap_err())
    };
    assert_eq!(found(&[1.0], &mut [0.0; 2], None), "weights: expected 2 values, found 1");
    assert_eq!(found(&[1.0; 2], &mut [0.0; 3], None), "sums: expected 2 values, found 3");
    assert_eq!(found(&[1.0; 2], &mut [0.0; 2], Some(0)), "threads: expected at least 1, found 0");
    let found =
        |gradient: &[f32], dots: &mut [f32]| text(bag.backward(&[0, 1], &[0], gradient, None, dots).unwrap_err());
    assert_eq!(found(&[1.0; 4], &mut [0.0; 2]), "gradient: expected 2 values, found 4");
    assert_eq!(found(&[1.0; 2], &mut [0.0]), "dots: expected 2 values, found 1");
}
