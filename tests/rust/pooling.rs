//! Pooling over every dtype against a plain `f64` computation; softmax and argmax at their edges.

#[path = "oracle/pooling.rs"]
mod oracle;

use proptest::prelude::*;
use wldetect::pooling::{Scratch, argmax, pool, softmax};
use wldetect::{DType, Error, Format, Pooling, Table};

/// A table with its bytes, its mask and the ids to pool.
#[derive(Clone, Debug)]
struct Case {
    dtype: DType,
    rows: usize,
    columns: usize,
    scale: f32,
    data: Vec<u8>,
    mask: Option<Vec<u8>>,
    ids: Vec<u32>,
}

impl Case {
    fn of_floats(columns: usize, values: &[f32], ids: &[u32]) -> Self {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let rows = values.len() / columns;
        Self { dtype: DType::Float32, rows, columns, scale: 1.0, data, mask: None, ids: ids.to_vec() }
    }

    fn table(&self) -> Table<'_> {
        Table::new(self.dtype, self.rows, self.columns, self.scale, &self.data, self.mask.as_deref()).expect("valid")
    }

    /// The logits of row `id`, if it takes part.
    fn row(&self, id: u32) -> Option<Vec<f64>> {
        let id = id as usize;
        if id >= self.rows || self.mask.as_ref().is_some_and(|mask| mask[id] != 0) {
            return None;
        }
        let size = self.dtype.size();
        let values = self.data[id * self.columns * size..][..self.columns * size].chunks_exact(size);
        let decode = |bytes: &[u8]| match self.dtype {
            DType::Fp8(format) => format.decode(bytes[0]),
            DType::Float32 => f32::from_le_bytes(bytes.try_into().expect("four bytes")),
        };
        Some(values.map(|bytes| f64::from(decode(bytes)) * f64::from(self.scale)).collect())
    }

    /// What the crate gives: logits, or `None` when no row takes part.
    fn pooled(&self, pooling: Pooling) -> Option<Vec<f32>> {
        let mut logits = vec![f32::NAN; self.columns];
        let count = pool(&self.table(), &self.ids, pooling, &mut Scratch::default(), &mut logits).expect("room");
        assert_eq!(count, self.ids.iter().filter(|&&id| self.row(id).is_some()).count());
        (count > 0).then_some(logits)
    }

    fn check(&self) {
        let logits = (0..self.rows as u32).filter_map(|id| self.row(id)).flatten();
        let largest = logits.fold(0.0, |largest: f64, logit| largest.max(logit.abs()));
        for pooling in Pooling::ALL {
            match (self.pooled(pooling), oracle::pool(|id| self.row(id), &self.ids, pooling)) {
                (Some(found), Some(expected)) => oracle::assert_close(&found, &expected, largest),
                (found, expected) => assert_eq!((found, expected), (None, None), "{}", pooling.name()),
            }
        }
    }
}

/// The rows of a case that are not masked, in another order, and the number of each token's.
struct Compact {
    dtype: DType,
    rows: usize,
    columns: usize,
    scale: f32,
    data: Vec<u8>,
    row_of_token: Vec<[u8; 4]>,
}

impl Compact {
    fn of(case: &Case, seed: u64, without_row: usize) -> Self {
        let mut tokens: Vec<u32> = (0..case.rows as u32).filter(|&id| case.row(id).is_some()).collect();
        tokens.sort_by_key(|&id| (u64::from(id) ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut row_of_token = vec![(-1_i32).to_le_bytes(); case.rows + without_row];
        let (mut data, width) = (Vec::new(), case.columns * case.dtype.size());
        for (row, &id) in (0_i32..).zip(&tokens) {
            row_of_token[id as usize] = row.to_le_bytes();
            data.extend_from_slice(&case.data[id as usize * width..][..width]);
        }
        let (dtype, rows, columns, scale) = (case.dtype, tokens.len(), case.columns, case.scale);
        Self { dtype, rows, columns, scale, data, row_of_token }
    }

    fn table(&self) -> Table<'_> {
        let table = Table::new(self.dtype, self.rows, self.columns, self.scale, &self.data, None).expect("valid");
        table.with_token_rows(&self.row_of_token).expect("every row once")
    }
}

/// `length` stored values of `dtype`, finite.
fn stored(dtype: DType, length: usize) -> BoxedStrategy<Vec<u8>> {
    match dtype {
        DType::Fp8(format) => {
            let finite: Vec<u8> = (0..=u8::MAX).filter(|&code| format.is_finite(code)).collect();
            prop::collection::vec(prop::sample::select(finite), length).boxed()
        }
        DType::Float32 => prop::collection::vec(-300.0_f32..300.0, length)
            .prop_map(|values| values.into_iter().flat_map(f32::to_le_bytes).collect())
            .boxed(),
    }
}

fn cases(dtype: impl Strategy<Value = DType>, scale: impl Strategy<Value = f32>) -> impl Strategy<Value = Case> {
    (dtype, scale, 1_usize..24, 1_usize..12).prop_flat_map(|(dtype, scale, rows, columns)| {
        let mask = prop::option::of(prop::collection::vec(prop::sample::select(vec![0_u8, 0, 0, 1, 255]), rows));
        // Some ids past the table, some as far past it as can be.
        let id = prop_oneof![9 => 0..rows as u32 + 2, 1 => any::<u32>()];
        (stored(dtype, rows * columns), mask, prop::collection::vec(id, 0..40))
            .prop_map(move |(data, mask, ids)| Case { dtype, rows, columns, scale, data, mask, ids })
    })
}

fn any_dtype() -> impl Strategy<Value = DType> {
    prop::sample::select(DType::ALL.to_vec())
}

fn fp8() -> impl Strategy<Value = DType> {
    prop::sample::select(Format::ALL.map(DType::Fp8).to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn pooling_agrees_with_float64(case in cases(any_dtype(), 1e-3_f32..10.0)) {
        case.check();
    }

    #[test]
    fn the_average_of_fp8_rows_does_not_depend_on_their_order(
        case in cases(fp8(), prop_oneof![(-20_i32..20).prop_map(|power| 2_f32.powi(power)), 1e-3_f32..10.0]),
        seed: u64,
    ) {
        let mut shuffled = case.clone();
        shuffled.ids.sort_by_key(|&id| (u64::from(id) ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let bits = |case: &Case| {
            case.pooled(Pooling::Average).map(|logits| logits.into_iter().map(f32::to_bits).collect::<Vec<_>>())
        };
        prop_assert_eq!(bits(&case), bits(&shuffled));
        shuffled.ids.reverse();
        prop_assert_eq!(bits(&case), bits(&shuffled));
    }

    /// Dropping masked rows, putting the others in any order and adding tokens without a row changes no bit.
    #[test]
    fn a_table_of_some_tokens_is_one_with_the_others_masked(
        case in cases(any_dtype(), 1e-3_f32..10.0),
        seed: u64,
        without_row in 0_usize..3,
    ) {
        let of_some = Compact::of(&case, seed, without_row);
        let table = of_some.table();
        for id in 0..case.rows as u32 + 5 {
            prop_assert_eq!(table.row_of(id).is_some(), case.row(id).is_some());
        }
        for pooling in Pooling::ALL {
            let mut logits = vec![f32::NAN; case.columns];
            let count = pool(&table, &case.ids, pooling, &mut Scratch::default(), &mut logits).expect("room");
            let found = (count > 0).then(|| logits.into_iter().map(f32::to_bits).collect::<Vec<_>>());
            let expected = case.pooled(pooling).map(|logits| logits.into_iter().map(f32::to_bits).collect::<Vec<_>>());
            prop_assert_eq!(found, expected, "{}", pooling.name());
        }
    }

    #[test]
    fn softmax_sums_to_one(mut logits in prop::collection::vec(-300.0_f32..300.0, 1..200)) {
        let largest = argmax(&logits);
        softmax(&mut logits);
        prop_assert!(logits.iter().all(|p| (0.0..=1.0).contains(p)));
        prop_assert!((logits.iter().map(|&p| f64::from(p)).sum::<f64>() - 1.0).abs() < 1e-5);
        prop_assert!(logits[largest.unwrap()] >= 1.0 / logits.len() as f32 * 0.999);
    }
}

#[test]
fn a_worked_example() {
    let case = Case::of_floats(2, &[1.0, -2.0, 3.0, 4.0, 100.0, 100.0], &[0, 1, 1]);
    assert_eq!(case.pooled(Pooling::Average), Some(vec![7.0 / 3.0, 2.0]));
    assert_eq!(case.pooled(Pooling::Max), Some(vec![3.0, 4.0]));
    // ln(e^1 + 2 e^3) and ln(e^-2 + 2 e^4).
    assert_eq!(case.pooled(Pooling::LogSumExp), Some(vec![3.758_623_7, 4.694_386]));
}

#[test]
fn logsumexp_of_large_logits_is_finite() {
    let case = Case::of_floats(4, &[300.0, -300.0, 300.0, -300.0, 300.0, -300.0, -300.0, 300.0], &[0, 1]);
    case.check();
    let ln2 = std::f32::consts::LN_2;
    assert_eq!(case.pooled(Pooling::LogSumExp), Some(vec![300.0 + ln2, -300.0 + ln2, 300.0, 300.0]));
    // Far past what `exp` of an f32 or f64 can hold.
    let case = Case::of_floats(2, &[1e30, -1e30, 1e30, -1e30], &[0, 1]);
    assert_eq!(case.pooled(Pooling::LogSumExp), Some(vec![1e30, -1e30]));
}

#[test]
fn the_largest_float32_logits_stay_finite() {
    let case = Case::of_floats(2, &[f32::MAX, f32::MIN], &[0; 9]);
    for pooling in Pooling::ALL {
        assert_eq!(case.pooled(pooling), Some(vec![f32::MAX, f32::MIN]), "{}", pooling.name());
    }
}

#[test]
fn with_no_row_left_logits_stay_untouched() -> wldetect::Result<()> {
    let data = [0x30; 4];
    let everything_masked = Table::new(DType::Fp8(Format::E3M4), 2, 2, 1.0, &data, Some(&[1, 7]))?;
    let nothing_masked = Table::new(DType::Fp8(Format::E3M4), 2, 2, 1.0, &data, None)?;
    for pooling in Pooling::ALL {
        for (table, ids) in
            [(&nothing_masked, &[][..]), (&nothing_masked, &[2, u32::MAX]), (&everything_masked, &[0, 1])]
        {
            let mut logits = [5.0, 6.0];
            assert_eq!(pool(table, ids, pooling, &mut Scratch::default(), &mut logits)?, 0);
            assert_eq!(logits, [5.0, 6.0]);
        }
    }
    Ok(())
}

#[test]
fn scratch_carries_nothing_over() -> wldetect::Result<()> {
    let wide = Case::of_floats(3, &[9.0, 9.0, 9.0], &[0]);
    let narrow = Case::of_floats(2, &[-1.0, 1.0, 2.0, -2.0], &[0, 1]);
    for pooling in Pooling::ALL {
        let mut scratch = Scratch::default();
        pool(&wide.table(), &wide.ids, pooling, &mut scratch, &mut [0.0; 3])?;
        let mut logits = [0.0; 2];
        pool(&narrow.table(), &narrow.ids, pooling, &mut scratch, &mut logits)?;
        assert_eq!(Some(logits.to_vec()), narrow.pooled(pooling), "{}", pooling.name());
    }
    Ok(())
}

#[test]
fn output_of_another_length_is_refused() {
    let case = Case::of_floats(2, &[1.0, 2.0], &[0]);
    for length in [0, 1, 3] {
        let mut logits = vec![0.0; length];
        let error = pool(&case.table(), &[0], Pooling::Max, &mut Scratch::default(), &mut logits).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
        assert_eq!(error.to_string(), format!("logits: expected 2 places, one a column, found {length}"));
    }
}

#[test]
fn poolings_have_names() {
    for pooling in Pooling::ALL {
        assert_eq!(Pooling::from_name(pooling.name()).ok(), Some(pooling));
    }
    let error = Pooling::from_name("mean").unwrap_err();
    assert_eq!(error.to_string(), "pooling: expected \"average\", \"logsumexp\" or \"max\", found \"mean\"");
}

#[test]
fn tables_that_disagree_with_their_data_are_refused() {
    let refused = |dtype, rows, columns, scale, mask| match Table::new(dtype, rows, columns, scale, &[0; 8], mask) {
        Err(error @ Error::InvalidArgument(_)) => error.to_string(),
        other => panic!("{:?}", other.map(|_| "a table")),
    };
    let (e3m4, e4m3fn) = (DType::Fp8(Format::E3M4), DType::Fp8(Format::E4M3FN));
    let text = refused(e3m4, 3, 3, 1.0, None);
    assert_eq!(text, "table: shape 3 x 3 of e3m4 disagrees with 8 bytes of data");
    assert!(refused(DType::Float32, 2, 4, 1.0, None).contains("2 x 4 of float32"));
    // 2^63 x 2 values wrap to 0 in 64 bits; 2^61 x 1 values of 4 bytes do so too.
    assert!(refused(e3m4, 1 << 63, 2, 1.0, None).contains("disagrees"));
    assert!(refused(DType::Float32, 1 << 62, 1, 1.0, None).contains("disagrees"));
    for scale in [0.0, -1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert_eq!(refused(e3m4, 2, 4, scale, None), format!("table: expected a positive finite scale, found {scale}"));
    }
    assert!(refused(e4m3fn, 2, 4, 1e36, None).contains("found 1e36"));
    assert_eq!(refused(e3m4, 2, 4, 1.0, Some(&[0])), "mask: expected one byte for each of 2 rows, found 1");
}

#[test]
fn the_first_value_that_is_not_finite_is_found_anywhere() -> wldetect::Result<()> {
    let (rows, columns) = (1 << 10, 129);
    for dtype in DType::ALL {
        let bad: Vec<u8> = match dtype {
            DType::Fp8(format) => vec![format.max_finite_code() + 1],
            DType::Float32 => f32::NEG_INFINITY.to_le_bytes().into(),
        };
        let clean = vec![0; rows * columns * dtype.size()];
        assert_eq!(Table::new(dtype, rows, columns, 1.0, &clean, None)?.first_non_finite(), None);
        // Around the ends of the blocks that are tested at once, too.
        for index in [0, 1, (1 << 16) - 1, 1 << 16, (1 << 16) + 1, rows * columns - 1] {
            let mut data = clean.clone();
            data[index * dtype.size()..][..dtype.size()].copy_from_slice(&bad);
            data[(rows * columns - 1) * dtype.size()..].copy_from_slice(&bad);
            assert_eq!(Table::new(dtype, rows, columns, 1.0, &data, None)?.first_non_finite(), Some(index));
        }
    }
    Ok(())
}

#[test]
fn softmax_of_huge_logits_is_finite() {
    for (mut logits, expected) in [
        ([f32::MAX, 0.0, f32::MIN], [1.0, 0.0, 0.0]),
        ([f32::MIN, f32::MIN, f32::MIN], [1.0 / 3.0; 3]),
        ([300.0, 300.0, -300.0], [0.5, 0.5, 0.0]),
    ] {
        softmax(&mut logits);
        assert_eq!(logits, expected);
    }
    softmax(&mut []);
}

#[test]
fn argmax_takes_the_first_of_the_largest() {
    assert_eq!(argmax(&[]), None);
    assert_eq!(argmax(&[1.0]), Some(0));
    assert_eq!(argmax(&[1.0, 3.0, 2.0, 3.0]), Some(1));
    assert_eq!(argmax(&[f32::NEG_INFINITY, f32::MIN]), Some(1));
    assert_eq!(argmax(&[0.0, -0.0]), Some(0));
}
