//! Files of n-gram rows, whole and hostile.

use std::path::Path;

use proptest::prelude::*;
use safetensors::tensor::Dtype;
use tempfile::TempDir;
use wldetect::artifact::{Artifact, Metadata, NgramArtifact};
use wldetect::ngrams::{Spec, Splitting};
use wldetect::{DType, Error, Format};

use crate::model::{COLUMNS, ID, LANGUAGES, NGRAM_ROWS, NGRAMS, NUMBERS, TableFile, raw_file, write};

const E3M4: DType = DType::Fp8(Format::E3M4);
const E4M3FN: DType = DType::Fp8(Format::E4M3FN);

/// What the lookup table of a model with n-gram rows says about itself.
fn lookup(dtype: DType) -> Metadata {
    let directory = TempDir::new().expect("a temporary directory");
    let path = TableFile::with_ngrams(dtype).write(directory.path());
    Artifact::open(&path, dtype).expect("a valid table").metadata().clone()
}

fn open(path: &Path, dtype: DType) -> wldetect::Result<NgramArtifact> {
    NgramArtifact::open(path, dtype, &lookup(dtype))
}

/// The reason for which `bytes` are refused.
fn refused_bytes(bytes: &[u8], dtype: DType) -> String {
    let directory = TempDir::new().expect("a temporary directory");
    let path = write(directory.path(), NgramArtifact::file_name(dtype), bytes);
    match open(&path, dtype) {
        Err(error @ Error::Artifact { .. }) => {
            let text = error.to_string();
            assert!(!text.contains(['\n', '\r']), "more than one line: {text:?}");
            text.strip_prefix(&format!("{}: ", path.display())).expect("the text starts with the path").to_owned()
        }
        other => panic!("expected an artifact error, found {other:?}"),
    }
}

#[track_caller]
fn refused(file: &TableFile, expected: &str) {
    assert_eq!(refused_bytes(&file.bytes(), file.dtype), expected);
}

fn valid() -> TableFile {
    TableFile::ngrams(E3M4)
}

/// A valid file, but for `key` of its extraction.
fn with(key: &str, value: serde_json::Value) -> TableFile {
    let mut ngrams: serde_json::Value = serde_json::from_str(NGRAMS).expect("JSON");
    ngrams[key] = value;
    valid().key("ngrams", &ngrams.to_string())
}

#[test]
fn whole_files_open() -> wldetect::Result<()> {
    for dtype in DType::ALL {
        let directory = TempDir::new().expect("a temporary directory");
        let path = TableFile::ngrams(dtype).write(directory.path());
        let found = open(&path, dtype)?;
        let name = path.file_name().expect("a name").to_str();
        let float32 = dtype == DType::Float32;
        let expected = if float32 { "ngram_table_float32.safetensors" } else { "ngram_table_fp8_e3m4.safetensors" };
        assert_eq!((found.path(), name), (path.as_path(), Some(expected)));
        let table = found.table();
        assert_eq!((table.rows(), table.columns(), table.scale()), (NGRAM_ROWS, NUMBERS, 1.0));
        // The rows beside a table of E4M3FN are of E3M4.
        assert_eq!(table.dtype(), if float32 { dtype } else { E3M4 });
        let projection = found.projection().expect("two numbers a row, three languages");
        assert_eq!((projection.rows(), projection.columns(), projection.gain()), (NUMBERS, COLUMNS, 2.0));
        let splitting = Splitting::Spaces;
        let spec = Spec { n_min: 2, n_max: 2, whole_words: true, max_words: 3, max_letters: 20, rows: 16, splitting };
        assert_eq!(*found.ngrams().spec(), spec);
    }
    Ok(())
}

/// `file` with one number for each language in a row.
fn direct(file: TableFile, columns: usize) -> TableFile {
    let shape = [NGRAM_ROWS as i64, columns as i64].map(i64::to_le_bytes).concat();
    let values = vec![0x30; NGRAM_ROWS * columns];
    file.tensor("ngram_table", Dtype::U8, &[NGRAM_ROWS, columns], values).tensor("shape", Dtype::I64, &[2], shape)
}

#[test]
fn rows_of_one_number_a_language_need_no_projection() -> wldetect::Result<()> {
    let directory = TempDir::new().expect("a temporary directory");
    let file = direct(valid(), COLUMNS).without_tensor("projection");
    assert!(open(&file.write(directory.path()), E3M4)?.projection().is_none());
    // They may have one, as rows of any other width must.
    let square = file.tensor("projection", Dtype::F32, &[COLUMNS, COLUMNS], [0; 4 * COLUMNS * COLUMNS]);
    assert!(open(&square.write(directory.path()), E3M4)?.projection().is_some());
    for columns in [1, 2, 4] {
        let file = direct(valid(), columns).without_tensor("projection");
        refused(&file, &format!("{columns} columns in ngram_table, 3 languages, but no tensor projection"));
    }
    Ok(())
}

#[test]
fn files_of_two_models_are_refused() {
    refused(
        &valid().key("ngram_table_id", "other"),
        &format!("ngram_table_id: expected {ID:?} (lookup table), found \"other\": of another model"),
    );
    refused(&valid().without_key("ngram_table_id"), "metadata key \"ngram_table_id\" is missing");
    let text = refused_bytes(&valid().key("ngram_table_id", "two\nlines").bytes(), E3M4);
    assert!(text.contains("\"two\\nlines\""), "{text:?}");
}

#[test]
fn languages_must_be_those_of_the_lookup_table() {
    let [first, second, third] = LANGUAGES;
    refused(
        &valid().key("languages", &format!("{:?}", [first, third, second])),
        "languages: expected \"spa_Latn\" (lookup table) at 1, found \"deu_Latn\"",
    );
    refused(
        &valid().key("languages", &format!("{:?}", [first, second])),
        "languages: expected 3, one a column, found 2",
    );
    refused(&valid().without_key("languages"), "metadata key \"languages\" is missing");
}

#[test]
fn every_truncation_is_refused() {
    for dtype in [E3M4, DType::Float32] {
        let bytes = TableFile::ngrams(dtype).bytes();
        for length in 0..bytes.len() {
            let reason = refused_bytes(&bytes[..length], dtype);
            assert!(reason.starts_with("not a whole safetensors file: "), "{length} bytes: {reason}");
        }
        assert!(refused_bytes(&[&bytes[..], &[0]].concat(), dtype).starts_with("not a whole safetensors file: "));
    }
    let header = "{\"ngram_table\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}";
    assert!(refused_bytes(&raw_file(header, &[]), E3M4).starts_with("not a whole safetensors file: "));
}

#[test]
fn what_is_not_there_is_an_io_error() {
    let directory = TempDir::new().expect("a temporary directory");
    let path = directory.path().join("absent.safetensors");
    match open(&path, E3M4) {
        Err(Error::Io { path: at, source }) => assert_eq!((at, source.kind()), (path, std::io::ErrorKind::NotFound)),
        other => panic!("expected an I/O error, found {other:?}"),
    }
}

#[test]
fn tensors_must_be_there_and_agree() {
    for name in ["ngram_table", "dtype", "shape", "scale"] {
        let file = valid().without_tensor(name);
        let found: Vec<&String> = file.tensors.keys().collect();
        refused(&file, &format!("{name}: tensor missing; found {found:?}"));
    }
    // The other format has no n-gram rows.
    refused(&valid().tensor("dtype", Dtype::U8, &[1], [0]), "dtype: expected 26 (e3m4), found 0 (e4m3fn)");
    assert_eq!(refused_bytes(&valid().tensor("dtype", Dtype::U8, &[1], [1]).bytes(), E4M3FN), {
        "dtype: expected 26 (e3m4), found 1 (float32)"
    });
    refused(
        &valid().tensor("dtype", Dtype::U8, &[1], [255]),
        "dtype: expected one of 26 (e3m4), 0 (e4m3fn), 1 (float32), found 255",
    );
    refused(&valid().tensor("ngram_table", Dtype::U8, &[32], [0; 32]), "ngram_table: expected 2 dimensions, found 1");
    refused(
        &valid().tensor("ngram_table", Dtype::I8, &[NGRAM_ROWS, NUMBERS], [0; 32]),
        "ngram_table: expected U8, found I8",
    );
    refused(
        &valid().tensor("shape", Dtype::I64, &[2], [2_i64, 16].map(i64::to_le_bytes).concat()),
        "shape: expected 16 x 2 (ngram_table), found [2, 16]",
    );
    for scale in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let file = valid().tensor("scale", Dtype::F32, &[1], scale.to_le_bytes());
        refused(&file, &format!("table: expected a positive finite scale, found {scale}"));
    }
}

#[test]
fn projections_must_fit() {
    let projection =
        |shape: &[usize]| valid().tensor("projection", Dtype::F32, shape, vec![0; 4 * shape.iter().product::<usize>()]);
    refused(&projection(&[3, 2]), "projection: expected shape [2, 3], found [3, 2]");
    refused(&projection(&[2, 4]), "projection: expected shape [2, 3], found [2, 4]");
    refused(&projection(&[6]), "projection: expected shape [2, 3], found [6]");
    refused(
        &valid().tensor("projection", Dtype::F64, &[NUMBERS, COLUMNS], [0; 48]),
        "projection: expected F32, found F64",
    );
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut values = [0.0; NUMBERS * COLUMNS];
        values[4] = value;
        let bytes = values.map(f32::to_le_bytes).concat();
        refused(
            &valid().tensor("projection", Dtype::F32, &[NUMBERS, COLUMNS], bytes),
            "projection: value at row 1, column 1 is not finite",
        );
    }
    let none = direct(valid(), 0).tensor("projection", Dtype::F32, &[0, COLUMNS], []);
    refused(&none, "projection: expected at least one row, found 0");
}

#[test]
fn values_that_are_not_finite_are_located() {
    for code in [0x70, 0x7F, 0xF0, 0xFF] {
        refused(&valid().value(3, 1, &[code]), "ngram_table: value at row 3, column 1 is not finite");
    }
    let file = TableFile::ngrams(DType::Float32).value(15, 0, &f32::NAN.to_le_bytes());
    refused(&file, "ngram_table: value at row 15, column 0 is not finite");
}

#[test]
fn logits_that_leave_no_room_for_those_of_tokens_are_refused() {
    let scaled = |dtype, scale: f32| TableFile::ngrams(dtype).tensor("scale", Dtype::F32, &[1], scale.to_le_bytes());
    // The largest code is 15.5, and two rows of the projection say 1.
    refused(&scaled(E3M4, 1e29), "ngram_table: expected logits of at most 1e30, found 3.1e30");
    let file = TableFile::ngrams(DType::Float32).value(2, 1, &(-1e30_f32).to_le_bytes());
    assert!(refused_bytes(&file.bytes(), DType::Float32).starts_with("ngram_table: expected logits of at most 1e30"));
    let directory = TempDir::new().expect("a temporary directory");
    open(&scaled(E3M4, 1e28).write(directory.path()), E3M4).expect("logits of at most 3.1e29");
    let direct = direct(scaled(E3M4, 1e29), COLUMNS).without_tensor("projection");
    refused(&direct, "ngram_table: expected logits of at most 1e30, found 1.55e30");
}

#[test]
fn the_extraction_must_be_described_in_full() {
    for key in ["n_min", "n_max", "whole_words", "max_words", "max_letters", "rows", "splitting", "hash"] {
        let mut ngrams: serde_json::Value = serde_json::from_str(NGRAMS).expect("JSON");
        ngrams.as_object_mut().expect("an object").remove(key);
        refused(&valid().key("ngrams", &ngrams.to_string()), &format!("ngrams.{key}: key missing"));
    }
    refused(
        &with("n_mean", 3.into()),
        "ngrams: expected the keys n_min, n_max, whole_words, max_words, max_letters, rows, splitting, hash, found \"n_mean\"",
    );
    refused(&valid().without_key("ngrams"), "metadata key \"ngrams\" is missing");
    for json in ["", "[]", "null", "{\"n_min\": 2", "\"a\nb\""] {
        let reason = refused_bytes(&valid().key("ngrams", json).bytes(), E3M4);
        assert!(reason.starts_with("ngrams: expected a JSON object: "), "{json}: {reason}");
    }
    let version = valid().key("format_version", "2");
    refused(&version, "format_version: expected \"1\", found \"2\"");
    refused(&valid().without_key("format_version"), "metadata key \"format_version\" is missing");
}

#[test]
fn numbers_of_the_extraction_must_be_such() {
    for (key, value, expected) in [
        ("n_min", "\"2\"", "an integer of 0 or more"),
        ("n_max", "-1", "an integer of 0 or more"),
        ("max_words", "1.5", "an integer of 0 or more"),
        ("max_letters", "null", "an integer of 0 or more"),
        ("rows", "[16]", "an integer of 0 or more"),
        ("whole_words", "1", "true or false"),
        ("splitting", "3", "text"),
        ("hash", "\"fnv1a\"", "\"golden32\""),
        ("hash", "32", "\"golden32\""),
    ] {
        let file = with(key, serde_json::from_str(value).expect("JSON"));
        refused(&file, &format!("ngrams.{key}: expected {expected}, found {value}"));
    }
    for (key, value, expected) in [
        ("n_min", 3, "ngrams.n_min: expected 1 to n_max (2), found 3"),
        ("n_min", 0, "ngrams.n_min: expected 1 to n_max (2), found 0"),
        ("n_max", 17, "ngrams.n_max: expected 1 to 16, found 17"),
        ("max_letters", 0, "ngrams.max_letters: expected 1 or more, found 0"),
        ("rows", 15, "ngrams.rows: expected 16 (ngram_table), found 15"),
        ("rows", 0, "ngrams.rows: expected 16 (ngram_table), found 0"),
    ] {
        refused(&with(key, value.into()), expected);
    }
    refused(
        &with("splitting", "words".into()),
        "ngrams.splitting: expected one of spaces, letters, boundaries, ideographs, found \"words\"",
    );
    let empty = with("rows", 0.into()).tensor("ngram_table", Dtype::U8, &[0, NUMBERS], []).tensor(
        "shape",
        Dtype::I64,
        &[2],
        [0, 2_i64].map(i64::to_le_bytes).concat(),
    );
    refused(&empty, "ngrams.rows: expected 1 to 2147483648, found 0");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever a few bytes are changed to, opening either refuses the file in one line or gives finite rows.
    #[test]
    fn spoilt_files_are_refused_or_sound(
        dtype in prop::sample::select(DType::ALL.to_vec()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let directory = TempDir::new().expect("a temporary directory");
        let mut bytes = TableFile::ngrams(dtype).bytes();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let path = write(directory.path(), NgramArtifact::file_name(dtype), &bytes);
        match open(&path, dtype) {
            Ok(found) => {
                prop_assert_eq!(found.table().first_non_finite(), None);
                prop_assert_eq!(found.table().rows(), found.ngrams().spec().rows as usize);
            }
            Err(error) => {
                prop_assert!(matches!(error, Error::Artifact { .. }), "{:?}", error);
                prop_assert!(!error.to_string().contains(['\n', '\r']), "{:?}", error.to_string());
            }
        }
    }
}
