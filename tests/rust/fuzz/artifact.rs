//! Table files: an error, or a table that can be pooled. Files of n-gram rows: an error, or logits that are numbers.

use arbitrary::{Result, Unstructured};
use safetensors::tensor::Dtype;
use wldetect::artifact::{Artifact, NgramArtifact};
use wldetect::kernel::{Kernel, Level};
use wldetect::ngrams::{LogitScratch, add_logits};
use wldetect::pooling::{self, Scratch};
use wldetect::{DType, Error, Pooling};

use super::model::{COLUMNS, NUMBERS, TableFile, raw_file, stored_as, write};
use super::rest;

/// Bytes choose a kind of file, and are or change what is in it.
pub fn artifact(data: &[u8]) {
    // Bytes that end too early have chosen nothing.
    let _ = check(&mut Unstructured::new(data));
}

fn check(bytes: &mut Unstructured<'_>) -> Result<()> {
    let dtype = *bytes.choose(&DType::ALL)?;
    if bytes.arbitrary()? {
        return ngrams(dtype, bytes);
    }
    let file = match bytes.int_in_range(0..=3)? {
        0 => rest(bytes).to_vec(),
        1 => {
            let data: Vec<u8> = bytes.arbitrary()?;
            raw_file(&String::from_utf8_lossy(rest(bytes)), &data)
        }
        2 => {
            let mut file = TableFile::valid(dtype).bytes();
            for _ in 0..bytes.int_in_range(1..=8)? {
                let at = bytes.choose_index(file.len())?;
                file[at] = bytes.arbitrary()?;
            }
            file
        }
        _ => of_any_shape(dtype, bytes)?.bytes(),
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = write(directory.path(), dtype.file_name(), &file);
    match Artifact::open(&path, dtype) {
        Ok(artifact) => pool(&artifact),
        Err(error @ Error::Artifact { .. }) => {
            let text = error.to_string();
            assert!(text.starts_with(&*path.to_string_lossy()) && !text.contains(['\n', '\r']), "{text:?}");
        }
        // Nothing can be mapped of an empty file.
        Err(error) => assert!(file.is_empty(), "{error}"),
    }
    Ok(())
}

/// A file whose parts agree, with any values and one thing that may not be as it should.
fn of_any_shape(dtype: DType, bytes: &mut Unstructured<'_>) -> Result<TableFile> {
    let (rows, columns) = (bytes.int_in_range(0..=40)?, bytes.int_in_range(0..=70)?);
    let seed: u32 = bytes.arbitrary()?;
    let mask: u32 = bytes.arbitrary()?;
    let random = |n: usize| (n as u32 ^ seed).wrapping_mul(0x9E37_79B9).rotate_left(15).wrapping_mul(0x85EB_CA6B);
    // Most codes are finite; so are all these floats.
    let value = |n: usize| match dtype {
        DType::Fp8(_) => vec![(random(n) >> 24) as u8 & 0xEF],
        DType::Float32 => (random(n) as i32 as f32 * 1e-7).to_le_bytes().to_vec(),
    };
    let table: Vec<u8> = (0..rows * columns).flat_map(value).collect();
    let shape = [rows as i64, columns as i64].map(i64::to_le_bytes).concat();
    let scale: f32 = if bytes.arbitrary()? { bytes.arbitrary()? } else { 0.05 };
    let languages: Vec<String> = (0..columns).map(|column| format!("\"l{column}\"")).collect();
    let pooling = *bytes.choose(&Pooling::ALL)?;
    let file = TableFile::valid(dtype)
        .tensor("lookup_table", stored_as(dtype), &[rows, columns], table)
        .tensor("shape", Dtype::I64, &[2], shape)
        .tensor("scale", Dtype::F32, &[1], scale.to_le_bytes())
        .tensor(
            "zero_weight_mask",
            Dtype::U8,
            &[rows],
            (0..rows).map(|r| (mask >> (r % 32) & 1) as u8).collect::<Vec<_>>(),
        )
        .key("languages", &format!("[{}]", languages.join(",")))
        .key("pooling", pooling.name());
    Ok(match bytes.int_in_range(0..=9)? {
        0 => file.tensor("shape", Dtype::I64, &[2], bytes.arbitrary::<[u8; 16]>()?),
        1 => file.tensor("lookup_table", stored_as(dtype), &[usize::MAX >> bytes.int_in_range(0..=40)?, 0], []),
        2 => {
            // Many rows of nothing.
            let rows = i64::MAX >> bytes.int_in_range(0..=62)?;
            file.tensor("lookup_table", stored_as(dtype), &[rows as usize, 0], [])
                .tensor("shape", Dtype::I64, &[2], [rows, 0].map(i64::to_le_bytes).concat())
                .without_tensor("zero_weight_mask")
                .key("languages", "[]")
        }
        3 => file.key("languages", &String::from_utf8_lossy(rest(bytes))),
        4 => file.key("max_sequence_length", &String::from_utf8_lossy(rest(bytes))),
        5 => {
            // Rows of some tokens: shifted, so that each has one owner, but for what the bytes change.
            let shift = bytes.int_in_range(0..=3)?;
            let mut numbers: Vec<i32> =
                (0..rows + shift).map(|id| id as i32 - shift as i32).map(|n| n.max(-1)).collect();
            if !numbers.is_empty() && bytes.arbitrary()? {
                let at = bytes.choose_index(numbers.len())?;
                numbers[at] = bytes.arbitrary()?;
            }
            let list = numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>();
            file.without_tensor("zero_weight_mask").tensor("row_of_token", Dtype::I32, &[numbers.len()], list)
        }
        _ => file,
    })
}

/// Pools a few rows in every way: the answers are numbers.
fn pool(artifact: &Artifact) {
    let table = artifact.table();
    assert_eq!(artifact.metadata().languages.len(), table.columns());
    assert_eq!(artifact.fingerprint().len(), 64);
    let ids: Vec<u32> = (0..50).chain([table.rows() as u32, u32::MAX, 0, 1]).collect();
    let mut scratch = Scratch::default();
    let mut logits = vec![0.0; table.columns()];
    for pooling in Pooling::ALL {
        let pooled = pooling::pool(table, &ids, pooling, &mut scratch, &mut logits).expect("room for each column");
        assert_eq!(pooled, ids.iter().filter(|&&id| table.row_of(id).is_some()).count());
        assert!(logits.iter().all(|logit| logit.is_finite()), "{pooling:?}: {logits:?}");
        let best = pooling::best(&logits);
        assert_eq!(best.map(|(language, _)| language), pooling::argmax(&logits));
        pooling::softmax(&mut logits);
        let total: f64 = logits.iter().map(|&p| f64::from(p)).sum();
        assert!(logits.is_empty() || (total - 1.0).abs() < 1e-4, "{pooling:?}: {total}");
    }
}

/// A valid file of n-gram rows with a few bytes, values or texts changed.
fn ngrams(dtype: DType, bytes: &mut Unstructured<'_>) -> Result<()> {
    let valid = TableFile::ngrams(dtype);
    let file = match bytes.int_in_range(0..=4)? {
        0 => valid.key("ngrams", &String::from_utf8_lossy(rest(bytes))).bytes(),
        1 => {
            let value: f32 = bytes.arbitrary()?;
            let projection: [u32; NUMBERS * COLUMNS] = bytes.arbitrary()?;
            let projection = projection.map(u32::to_le_bytes).concat();
            valid
                .tensor("scale", Dtype::F32, &[1], value.to_le_bytes())
                .tensor("projection", Dtype::F32, &[NUMBERS, COLUMNS], projection)
                .bytes()
        }
        2 => valid.tensor("shape", Dtype::I64, &[2], bytes.arbitrary::<[u8; 16]>()?).bytes(),
        _ => {
            let mut file = valid.bytes();
            for _ in 0..bytes.int_in_range(1..=8)? {
                let at = bytes.choose_index(file.len())?;
                file[at] = bytes.arbitrary()?;
            }
            file
        }
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let lookup = TableFile::with_ngrams(dtype).write(directory.path());
    let lookup = Artifact::open(&lookup, dtype).expect("a valid table");
    let path = write(directory.path(), NgramArtifact::file_name(dtype), &file);
    match NgramArtifact::open(&path, dtype, lookup.metadata()) {
        Ok(found) => {
            let rows = found.ngrams().rows("Uno, dos; STRASSE \u{0}x");
            let kernel = Kernel::new(Level::Scalar).expect("every CPU has it");
            // The largest logits of tokens there are.
            for logit in [f32::MIN, f32::MAX] {
                let mut logits = [logit; COLUMNS];
                let mut scratch = LogitScratch::default();
                add_logits(kernel, found.table(), found.projection(), &rows, &mut scratch, &mut logits)
                    .expect("it fits");
                assert!(logits.iter().all(|logit| logit.is_finite()), "{logits:?}");
            }
        }
        Err(error @ Error::Artifact { .. }) => {
            let text = error.to_string();
            assert!(text.starts_with(&*path.to_string_lossy()) && !text.contains(['\n', '\r']), "{text:?}");
        }
        Err(error) => panic!("{error}"),
    }
    Ok(())
}
