//! Every kernel level that this CPU has, against the oracle and against each other to the bit.

#[path = "oracle/pooling.rs"]
mod oracle;

use std::process::Command;

use proptest::prelude::*;
use wldetect::kernel::{Kernel, Level, VARIABLE};
use wldetect::pooling::{Scratch, argmax, best_with, pool_with, softmax, softmax_with, sum_rows};
use wldetect::{DType, Error, Format, Pooling, Table};

const E3M4: DType = DType::Fp8(Format::E3M4);

/// The kernels that can be tested here; says which cannot.
fn kernels() -> Vec<Kernel> {
    let (supported, lacking): (Vec<Level>, Vec<Level>) = Level::ALL.into_iter().partition(|level| level.is_supported());
    for level in lacking {
        eprintln!("skipped: this CPU does not have {}", level.name());
    }
    supported.into_iter().map(|level| Kernel::new(level).expect("supported")).collect()
}

fn finite(format: Format) -> Vec<u8> {
    (0..=u8::MAX).filter(|&code| format.is_finite(code)).collect()
}

fn pooled(kernel: Kernel, table: &Table<'_>, ids: &[u32], pooling: Pooling) -> Option<Vec<f32>> {
    let mut logits = vec![f32::NAN; table.columns()];
    let count = pool_with(kernel, table, ids, pooling, &mut Scratch::default(), &mut logits).expect("room");
    assert_eq!(count, ids.iter().filter(|&&id| table.row_of(id).is_some()).count());
    (count > 0).then_some(logits)
}

fn bits(values: &Option<Vec<f32>>) -> Option<Vec<u32>> {
    values.as_ref().map(|values| values.iter().map(|value| value.to_bits()).collect())
}

/// Table bytes at an odd place in memory, with ids to pool.
#[derive(Clone, Debug)]
struct Case {
    dtype: DType,
    rows: usize,
    columns: usize,
    scale: f32,
    offset: usize,
    bytes: Vec<u8>,
    mask: Option<Vec<u8>>,
    ids: Vec<u32>,
}

impl Case {
    fn table(&self) -> Table<'_> {
        let data = &self.bytes[self.offset..];
        Table::new(self.dtype, self.rows, self.columns, self.scale, data, self.mask.as_deref()).expect("valid")
    }

    fn row(&self, id: u32) -> Option<Vec<f64>> {
        let id = id as usize;
        if id >= self.rows || self.mask.as_ref().is_some_and(|mask| mask[id] != 0) {
            return None;
        }
        let size = self.dtype.size();
        let row = &self.bytes[self.offset + id * self.columns * size..][..self.columns * size];
        let decode = |bytes: &[u8]| match self.dtype {
            DType::Fp8(format) => format.decode(bytes[0]),
            DType::Float32 => f32::from_le_bytes(bytes.try_into().expect("four bytes")),
        };
        Some(row.chunks_exact(size).map(|bytes| f64::from(decode(bytes)) * f64::from(self.scale)).collect())
    }
}

fn cases() -> impl Strategy<Value = Case> {
    // Scales whose logits reach +-1,000: past what logsumexp keeps exponentials for.
    let shape = (prop::sample::select(DType::ALL.to_vec()), 1_usize..24, 1_usize..=200, 0_usize..64);
    (shape, 1e-3_f32..70.0, any::<u64>()).prop_flat_map(|((dtype, rows, columns, offset), scale, seed)| {
        let scale = if dtype == E3M4 { scale } else { scale / 32.0 };
        let mut state = seed | 1;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state >> 32
        };
        let mut bytes = vec![0; offset];
        for _ in 0..rows * columns {
            match dtype {
                DType::Fp8(format) => {
                    let codes = finite(format);
                    bytes.push(codes[next() as usize % codes.len()]);
                }
                DType::Float32 => bytes.extend((next() as f32 / 2_f32.powi(23) - 256.0).to_le_bytes()),
            }
        }
        let mask = prop::option::of(prop::collection::vec(prop::sample::select(vec![0_u8, 0, 0, 1]), rows));
        let length = prop_oneof![0_usize..70, 0_usize..=600];
        let id = prop_oneof![9 => 0..rows as u32 + 2, 1 => any::<u32>()];
        let ids = length.prop_flat_map(move |length| prop::collection::vec(id.clone(), length));
        (mask, ids).prop_map(move |(mask, ids)| Case {
            dtype,
            rows,
            columns,
            scale,
            offset,
            bytes: bytes.clone(),
            mask,
            ids,
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn every_level_pools_as_the_oracle_does(case in cases(), seed: u64) {
        let table = case.table();
        let logits = (0..case.rows as u32).filter_map(|id| case.row(id)).flatten();
        let largest = logits.fold(0.0, |largest: f64, logit| largest.max(logit.abs()));
        let mut shuffled = case.ids.clone();
        shuffled.sort_by_key(|&id| (u64::from(id) ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        for pooling in Pooling::ALL {
            let expected = oracle::pool(|id| case.row(id), &case.ids, pooling);
            let mut same = None;
            for kernel in kernels() {
                let found = pooled(kernel, &table, &case.ids, pooling);
                match (&found, &expected) {
                    (Some(found), Some(expected)) => oracle::assert_close(found, expected, largest),
                    _ => assert_eq!((found.is_some(), expected.is_some()), (false, false)),
                }
                let again = pooled(kernel, &table, &shuffled, pooling);
                if pooling != Pooling::LogSumExp && case.dtype != DType::Float32 {
                    prop_assert_eq!(bits(&found), bits(&again));
                }
                let found = bits(&found);
                prop_assert_eq!(same.get_or_insert_with(|| found.clone()), &found, "{}", kernel.level().name());
            }
        }
    }

    #[test]
    fn softmax_is_close_and_the_same_on_every_level(
        logits in prop::collection::vec(-300.0_f32..300.0, 0..200),
        inverse_temperature in prop_oneof![Just(1.0_f32), 1e-3_f32..50.0, Just(f32::MIN_POSITIVE), Just(f32::MAX)],
    ) {
        let peak = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let share = |&logit: &f32| f64::from((logit - peak) * inverse_temperature).exp();
        let exponentials: Vec<f64> = logits.iter().map(share).collect();
        let total: f64 = exponentials.iter().sum();
        let mut same = None;
        for kernel in kernels() {
            let mut probabilities = logits.clone();
            softmax_with(kernel, &mut probabilities, inverse_temperature);
            for (found, expected) in probabilities.iter().zip(&exponentials) {
                let expected = expected / total;
                let off = (f64::from(*found) - expected).abs();
                prop_assert!(off <= 3e-7 * expected + 1e-37, "{found} for {expected}");
            }
            let sum: f64 = probabilities.iter().map(|&p| f64::from(p)).sum();
            prop_assert!(logits.is_empty() || (sum - 1.0).abs() < 1e-6, "the probabilities sum to {sum}");
            let winner = argmax(&logits).map(|index| (index, probabilities[index].to_bits()));
            let found = best_with(kernel, &logits, inverse_temperature).map(|(index, p)| (index, p.to_bits()));
            prop_assert_eq!(found, winner);
            if inverse_temperature == 1.0 {
                let mut plain = logits.clone();
                softmax(&mut plain);
                prop_assert_eq!(&plain, &probabilities);
            }
            let found = bits(&Some(probabilities));
            prop_assert_eq!(same.get_or_insert_with(|| found.clone()), &found, "{}", kernel.level().name());
        }
    }
}

#[test]
fn every_code_counts_its_value_in_every_column() {
    for format in Format::ALL {
        let codes = finite(format);
        for columns in 1..=200 {
            let rows = codes.len();
            let code = |row: usize, column: usize| codes[(row + column) % rows];
            let data: Vec<u8> = (0..rows * columns).map(|i| code(i / columns, i % columns)).collect();
            let table = Table::new(DType::Fp8(format), rows, columns, 1.0, &data, None).expect("valid");
            for kernel in kernels() {
                for row in 0..rows {
                    // Seven times the row and a pair that ends in the middle of a chunk of rows.
                    let logits = pooled(kernel, &table, &[row as u32; 7], Pooling::Average).expect("a row");
                    for (column, &logit) in logits.iter().enumerate() {
                        assert_eq!(logit, format.decode(code(row, column)), "{:#04x}", code(row, column));
                    }
                }
            }
        }
    }
}

#[test]
fn codes_that_are_not_finite_count_the_same_on_every_level() -> wldetect::Result<()> {
    for format in Format::ALL {
        let data: Vec<u8> = (0..=u8::MAX).collect();
        let table = Table::new(DType::Fp8(format), 1, 256, 1.0, &data, None)?;
        for kernel in kernels() {
            let mut totals = vec![0.0; 256];
            sum_rows(kernel, &table, &[0], &mut Scratch::default(), &mut totals)?;
            for code in (0..=u8::MAX).filter(|&code| !format.is_finite(code)) {
                assert_eq!(totals[code as usize], 0.0, "{} {code:#04x}", format.name());
            }
        }
    }
    Ok(())
}

#[test]
fn sums_of_the_largest_values_do_not_overflow() -> wldetect::Result<()> {
    for (format, counts) in [
        // Around what 16 and 32 bits hold.
        (Format::E3M4, &[31, 32, 33, 34, 63, 64, 65, 2_164_802, 2_164_803][..]),
        (Format::E4M3FN, &[31, 32, 33, 9_362, 9_363, 20_000][..]),
    ] {
        let largest = format.max_finite_code();
        for columns in [1, 33, 65] {
            let data: Vec<u8> = (0..columns).map(|column| largest | if column % 3 == 0 { 0x80 } else { 0 }).collect();
            let table = Table::new(DType::Fp8(format), 1, columns, 1.0, &data, None)?;
            for &count in counts {
                let ids = vec![0; count];
                for kernel in kernels() {
                    let logits = pooled(kernel, &table, &ids, Pooling::Average).expect("rows");
                    for (logit, &code) in logits.iter().zip(&data) {
                        assert_eq!(*logit, format.decode(code), "{count} rows, {}", kernel.level().name());
                    }
                }
            }
        }
    }
    Ok(())
}

/// The table ends where readable memory does: the map is longer than its file, and the page past the file's end faults.
#[cfg(target_os = "linux")]
#[test]
fn nothing_past_the_end_of_the_table_is_read() -> Result<(), Box<dyn std::error::Error>> {
    let page = 1 << 16;
    let file = tempfile::tempfile()?;
    file.set_len(page as u64)?;
    // SAFETY: nobody else has the file, which is as long as the part of the map that is read.
    let map = unsafe { memmap2::MmapOptions::new().len(2 * page).map(&file)? };
    for dtype in DType::ALL {
        for columns in 1..=200 {
            let rows = 3;
            let data = &map[page - rows * columns * dtype.size()..page];
            let table = Table::new(dtype, rows, columns, 1.0, data, None)?;
            for kernel in kernels() {
                for count in [1, 2, 33, 100] {
                    let ids: Vec<u32> = (0..count).map(|i| 2 - i % 3).collect();
                    for pooling in Pooling::ALL {
                        assert!(pooled(kernel, &table, &ids, pooling).is_some());
                    }
                }
            }
        }
    }
    Ok(())
}

#[test]
fn totals_may_be_gathered_in_parts() -> wldetect::Result<()> {
    let (rows, columns) = (50, 70);
    for dtype in DType::ALL {
        let data: Vec<u8> = (0..rows * columns * dtype.size()).map(|i| (i * 37 % 101) as u8).collect();
        let table = Table::new(dtype, rows, columns, 1.0, &data, None)?;
        let numbers: Vec<u32> = (0..130).map(|i| i * 7 % 50).collect();
        for kernel in kernels() {
            let mut scratch = Scratch::default();
            let mut whole = vec![0.0; columns];
            sum_rows(kernel, &table, &numbers, &mut scratch, &mut whole)?;
            let mut parts = vec![0.0; columns];
            for part in numbers.chunks(27) {
                sum_rows(kernel, &table, part, &mut scratch, &mut parts)?;
            }
            assert_eq!(whole, parts);
            let logits = pooled(kernel, &table, &numbers, Pooling::Average).expect("rows");
            for (logit, total) in logits.iter().zip(&whole) {
                assert_eq!(*logit, (total * (table.unit() / 130.0)) as f32);
            }
        }
    }
    Ok(())
}

#[test]
fn rows_that_are_not_there_are_refused() -> wldetect::Result<()> {
    let table = Table::new(E3M4, 2, 2, 1.0, &[0; 4], None)?;
    for kernel in kernels() {
        let sum = |rows: &[u32], totals: &mut [f64]| {
            sum_rows(kernel, &table, rows, &mut Scratch::default(), totals).expect_err("refused").to_string()
        };
        assert_eq!(sum(&[0, 2], &mut [0.0; 2]), "rows: expected numbers below 2, found 2");
        assert_eq!(sum(&[u32::MAX], &mut [0.0; 2]), "rows: expected numbers below 2, found 4294967295");
        assert_eq!(sum(&[0], &mut [0.0; 3]), "totals: expected 2 places, one a column, found 3");
    }
    Ok(())
}

#[test]
fn levels_have_names() {
    for level in Level::ALL {
        assert_eq!(Level::from_name(level.name()).ok(), Some(level));
        match Kernel::new(level) {
            Ok(kernel) => assert_eq!((kernel.level(), level.is_supported()), (level, true)),
            Err(error) => {
                assert!(matches!(error, Error::InvalidArgument(_)) && !level.is_supported());
                assert!(error.to_string().starts_with("kernel: expected one of scalar"), "{error}");
            }
        }
    }
    let error = Level::from_name("sse9").unwrap_err();
    let expected = "kernel: expected \"scalar\", \"avx2\", \"avx512\" or \"neon\", found \"sse9\"";
    assert_eq!(error.to_string(), expected);
}

/// Prints what the process chose; run again by the test below, with the variable set.
#[test]
fn the_level_of_this_process() {
    match Level::chosen() {
        Ok(level) => println!("chosen: {}", level.name()),
        Err(error) => {
            let table = Table::new(E3M4, 1, 1, 1.0, &[0], None).expect("valid");
            let pooled = wldetect::pooling::pool(&table, &[0], Pooling::Max, &mut Scratch::default(), &mut [0.0]);
            assert_eq!(pooled.unwrap_err().to_string(), error.to_string());
            println!("refused: {error}");
        }
    }
}

#[test]
fn the_variable_forces_a_level() {
    let run = |value: Option<&str>| {
        let mut child = Command::new(std::env::current_exe().expect("this program"));
        child.args(["--exact", "the_level_of_this_process", "--nocapture"]).env_remove(VARIABLE);
        let output = child.envs(value.map(|value| (VARIABLE, value))).output().expect("it runs");
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let line = text.lines().find_map(|line| {
            line.find("chosen: ").or_else(|| line.find("refused: ")).map(|start| line[start..].to_owned())
        });
        line.expect("a line")
    };
    let supported: Vec<&str> = kernels().into_iter().map(|kernel| kernel.level().name()).collect();
    for level in Level::ALL.map(Level::name) {
        let refused = format!("refused: {VARIABLE}: expected one of {}, found {level:?}", supported.join(", "));
        let expected = if supported.contains(&level) { format!("chosen: {level}") } else { refused };
        assert_eq!(run(Some(level)), expected);
    }
    let refused = format!("refused: {VARIABLE}: expected one of {}, found \"fastest\"", supported.join(", "));
    assert_eq!(run(Some("fastest")), refused);
    assert!(run(Some("")).starts_with("refused: "));
    assert_eq!(run(None), format!("chosen: {}", supported[supported.len() - 1]));
}
