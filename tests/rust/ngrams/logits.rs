//! Logits of n-gram rows at every kernel level, against the oracle to the bit.

use proptest::prelude::*;
use wldetect::kernel::{Kernel, Level};
use wldetect::ngrams::{LogitScratch, Projection, add_logits};
use wldetect::{DType, Error, Format, Table};

#[path = "../oracle/ngrams.rs"]
mod oracle;

const E3M4: DType = DType::Fp8(Format::E3M4);

fn kernels() -> impl Iterator<Item = Kernel> {
    Level::ALL.into_iter().filter_map(|level| Kernel::new(level).ok())
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[derive(Clone, Debug)]
struct Case {
    dtype: DType,
    numbers: usize,
    scale: f32,
    /// Bytes before the table begins in memory: bytes need no alignment.
    offset: usize,
    bytes: Vec<u8>,
    /// One row for each number of a row.
    projection: Option<Vec<Vec<f32>>>,
    rows: Vec<u32>,
    logits: Vec<f32>,
}

impl Case {
    fn data(&self) -> &[u8] {
        &self.bytes[self.offset..]
    }

    fn table(&self) -> Table<'_> {
        let rows = self.data().len() / (self.numbers * self.dtype.size());
        Table::new(self.dtype, rows, self.numbers, self.scale, self.data(), None).expect("valid")
    }

    fn stored(&self, row: u32) -> Vec<f64> {
        let size = self.dtype.size();
        let row = &self.data()[row as usize * self.numbers * size..][..self.numbers * size];
        match self.dtype {
            DType::Fp8(format) => {
                row.iter().map(|&code| f64::from(format.decode(code)) / f64::from(format.step())).collect()
            }
            DType::Float32 => row
                .chunks_exact(4)
                .map(|bytes| f64::from(f32::from_le_bytes(bytes.try_into().expect("four bytes"))))
                .collect(),
        }
    }

    fn found(&self, kernel: Kernel, scratch: &mut LogitScratch) -> Vec<f32> {
        let projection = self
            .projection
            .as_ref()
            .map(|matrix| Projection::new(self.numbers, self.logits.len(), &matrix.concat()).expect("a matrix"));
        let mut logits = self.logits.clone();
        add_logits(kernel, &self.table(), projection.as_ref(), &self.rows, scratch, &mut logits)
            .expect("rows of the table");
        logits
    }

    fn expected(&self) -> Vec<f32> {
        if self.rows.is_empty() {
            return self.logits.clone();
        }
        let projection = self.projection.as_deref();
        let more = oracle::logits(|row| self.stored(row), self.table().unit(), self.scale, projection, &self.rows);
        self.logits.iter().zip(more).map(|(logit, more)| logit + more).collect()
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let dtype = prop::sample::select(vec![E3M4, DType::Float32]);
    (dtype, 1_usize..90, 1_usize..170, any::<bool>(), 0_usize..70, any::<u64>()).prop_flat_map(
        |(dtype, numbers, languages, direct, offset, seed)| {
            let languages = if direct { numbers } else { languages };
            let mut state = seed | 1;
            let mut next = move || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state >> 32
            };
            let mut float = move || (next() as f32 / 2_f32.powi(30) - 2.0).powi(3);
            let mut bytes = vec![0; offset];
            for _ in 0..23 * numbers {
                match dtype {
                    DType::Fp8(format) => bytes.push(format.encode(float()).expect("not NaN")),
                    DType::Float32 => bytes.extend(float().to_le_bytes()),
                }
            }
            let projection =
                (!direct).then(|| (0..numbers).map(|_| (0..languages).map(|_| float()).collect()).collect());
            let logits: Vec<f32> = (0..languages).map(|_| float()).collect();
            let rows =
                prop_oneof![0_usize..20, 0_usize..300].prop_flat_map(|length| prop::collection::vec(0_u32..23, length));
            (rows, 1e-3_f32..10.0).prop_map(move |(rows, scale)| Case {
                dtype,
                numbers,
                scale,
                offset,
                bytes: bytes.clone(),
                projection: projection.clone(),
                rows,
                logits: logits.clone(),
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_level_adds_what_the_oracle_does(case in cases(), other in cases()) {
        let expected = bits(&case.expected());
        for kernel in kernels() {
            let mut scratch = LogitScratch::default();
            // What another text left in the scratch does not matter.
            for (case, expected) in [(&other, bits(&other.expected())), (&case, expected.clone())] {
                let found = case.found(kernel, &mut scratch);
                prop_assert_eq!(bits(&found), expected, "{}", kernel.level().name());
            }
        }
    }

    /// Codes are summed as whole numbers.
    #[test]
    fn the_order_of_rows_does_not_matter(mut case in cases().prop_filter("whole numbers", |case| case.dtype == E3M4)) {
        let expected = bits(&case.expected());
        case.rows.sort_unstable();
        for kernel in kernels() {
            prop_assert_eq!(bits(&case.found(kernel, &mut LogitScratch::default())), expected.clone());
        }
    }
}

/// More rows than are summed in 32 bits at once, all as large as can be.
#[test]
fn sums_of_any_number_of_rows_are_exact() -> wldetect::Result<()> {
    let data = [0x6F, 0xEF];
    let table = Table::new(E3M4, 1, 2, 2.0, &data, None)?;
    let rows = vec![0; 5_000_000];
    for kernel in kernels() {
        let mut logits = [1.0, 1.0];
        add_logits(kernel, &table, None, &rows, &mut LogitScratch::default(), &mut logits)?;
        assert_eq!(logits, [32.0, -30.0]);
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused() {
    let kernel = kernels().next().expect("the plain level");
    let data = [0x30; 6];
    let table = Table::new(E3M4, 3, 2, 1.0, &data, None).expect("a table");
    let projection = Projection::new(2, 3, &[1.0; 6]).expect("a matrix");
    let mut scratch = LogitScratch::default();
    let mut add = |projection, rows: &[u32], places: usize| {
        let mut logits = vec![0.0; places];
        match add_logits(kernel, &table, projection, rows, &mut scratch, &mut logits) {
            Err(error @ Error::InvalidArgument(_)) => error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(add(Some(&projection), &[3], 3), "rows: expected numbers below 3, found 3");
    assert_eq!(add(Some(&projection), &[0], 2), "logits: expected 3 places, one a column, found 2");
    assert_eq!(add(None, &[0], 3), "logits: expected 2 places, one a column, found 3");
    let wide = Projection::new(3, 1, &[1.0; 3]).expect("a matrix");
    assert_eq!(add(Some(&wide), &[0], 1), "projection: expected 2 rows, one a column of the table, found 3");
    for (rows, columns) in [(1, 5), (4, 2), (usize::MAX, 2)] {
        let text = Projection::new(rows, columns, &[1.0; 6]).unwrap_err().to_string();
        assert_eq!(text, format!("projection: shape {rows} x {columns} disagrees with 6 values"));
    }
    assert!(Projection::new(0, 3, &[]).is_err());
}
