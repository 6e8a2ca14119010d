//! Table files, whole and hostile: every refusal is the right variant, names the file, and fits one line.

#[path = "artifact/calibration.rs"]
mod calibration;
#[path = "artifact/detector.rs"]
mod detector;
#[path = "artifact/features.rs"]
mod features;
#[path = "artifact/model.rs"]
mod model;
#[path = "artifact/ngrams.rs"]
mod ngrams;
#[path = "artifact/token_rows.rs"]
mod token_rows;

use std::path::Path;

use model::{COLUMNS, LANGUAGES, ROWS, TableFile, raw_file, sha256, stored_as, write};
use proptest::prelude::*;
use safetensors::tensor::Dtype;
use tempfile::TempDir;
use token_rows::with_rows;
use wldetect::artifact::Artifact;
use wldetect::{DType, Error, Features, Format, Pooling};

const E3M4: DType = DType::Fp8(Format::E3M4);
const E4M3FN: DType = DType::Fp8(Format::E4M3FN);

/// The reason for which the file at `path` is refused.
fn reason(path: &Path, dtype: DType) -> String {
    match Artifact::open(path, dtype) {
        Err(error @ Error::Artifact { .. }) => {
            let text = error.to_string();
            let reason = text.strip_prefix(&format!("{}: ", path.display())).expect("the text starts with the path");
            assert!(!text.contains(['\n', '\r']), "more than one line: {text:?}");
            reason.to_owned()
        }
        Err(other) => panic!("expected an artifact error, found {other:?}"),
        Ok(_) => panic!("expected an artifact error, found a table"),
    }
}

fn refused_bytes(bytes: &[u8], dtype: DType) -> String {
    let directory = TempDir::new().expect("a temporary directory");
    reason(&write(directory.path(), dtype.file_name(), bytes), dtype)
}

#[track_caller]
fn refused(file: &TableFile, expected: &str) {
    assert_eq!(refused_bytes(&file.bytes(), file.dtype), expected);
}

fn valid() -> TableFile {
    TableFile::valid(E3M4)
}

#[test]
fn whole_files_open() -> wldetect::Result<()> {
    for dtype in DType::ALL {
        let directory = TempDir::new().expect("a temporary directory");
        for file in [TableFile::valid(dtype), TableFile::valid(dtype).without_tensor("zero_weight_mask")] {
            let path = file.write(directory.path());
            let artifact = Artifact::open(&path, dtype)?;
            assert_eq!(artifact.path(), path);
            let metadata = artifact.metadata();
            assert_eq!(metadata.languages, LANGUAGES);
            assert_eq!((metadata.pooling, metadata.max_sequence_length), (Pooling::Average, 512));
            assert_eq!(metadata.tokenizer_sha256, sha256(model::TOKENIZER));
            assert_eq!(metadata.ngram_table_id, None);
            let table = artifact.table();
            assert_eq!((table.rows(), table.columns(), table.dtype(), table.scale()), (ROWS, COLUMNS, dtype, 1.0));
            assert_eq!(table.row_of(0).is_some(), !file.tensors.contains_key("zero_weight_mask"));
            assert!((1..4).all(|id| table.row_of(id).is_some()));
            assert!(table.row_of(4).is_none() && table.row_of(u32::MAX).is_none());
        }
    }
    Ok(())
}

#[test]
fn other_tensors_and_keys_are_left_alone() -> wldetect::Result<()> {
    let directory = TempDir::new().expect("a temporary directory");
    let file = valid().tensor("min_count_threshold", Dtype::I32, &[1], [2, 0, 0, 0]).key("provenance", "{}");
    Artifact::open(&file.write(directory.path()), E3M4).map(|_| ())
}

#[test]
fn every_truncation_is_refused() {
    let directory = TempDir::new().expect("a temporary directory");
    for dtype in [E3M4, DType::Float32] {
        let bytes = TableFile::valid(dtype).bytes();
        for length in 0..bytes.len() {
            let path = write(directory.path(), dtype.file_name(), &bytes[..length]);
            let reason = reason(&path, dtype);
            assert!(reason.starts_with("not a whole safetensors file: "), "{length} bytes: {reason}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(refused_bytes(&longer, dtype).starts_with("not a whole safetensors file: "));
    }
}

#[test]
fn what_is_not_there_is_an_io_error() {
    let directory = TempDir::new().expect("a temporary directory");
    for path in [directory.path().join("absent.safetensors"), directory.path().to_owned()] {
        match Artifact::open(&path, E3M4) {
            Err(error @ Error::Io { .. }) => {
                assert!(error.to_string().starts_with(&format!("{}: ", path.display())), "{error}");
            }
            other => panic!("expected an I/O error, found {:?}", other.map(|_| "a table")),
        }
    }
}

#[test]
fn dtype_ids_must_be_the_one_asked_for() {
    refused(&valid().tensor("dtype", Dtype::U8, &[1], [0]), "dtype: expected 26 (e3m4), found 0 (e4m3fn)");
    refused(
        &TableFile::valid(DType::Float32).tensor("dtype", Dtype::U8, &[1], [26]),
        "dtype: expected 1 (float32), found 26 (e3m4)",
    );
    refused(
        &valid().tensor("dtype", Dtype::U8, &[1], [255]),
        "dtype: expected one of 26 (e3m4), 0 (e4m3fn), 1 (float32), found 255",
    );
    refused(&valid().tensor("dtype", Dtype::I32, &[1], [26, 0, 0, 0]), "dtype: expected U8, found I32");
    refused(&valid().tensor("dtype", Dtype::U8, &[2], [26, 26]), "dtype: expected shape [1], found [2]");
    refused(&valid().tensor("dtype", Dtype::U8, &[0], []), "dtype: expected shape [1], found [0]");
}

#[test]
fn tensors_of_another_type_are_refused() {
    let floats = vec![0; ROWS * COLUMNS * 4];
    refused(
        &valid().tensor("lookup_table", Dtype::F32, &[ROWS, COLUMNS], floats),
        "lookup_table: expected U8, found F32",
    );
    let table = TableFile::valid(DType::Float32).tensor("lookup_table", Dtype::U8, &[ROWS, COLUMNS], [0; 12]);
    refused(&table, "lookup_table: expected F32, found U8");
    refused(&valid().tensor("shape", Dtype::I32, &[2], [0; 8]), "shape: expected I64, found I32");
    refused(&valid().tensor("scale", Dtype::F64, &[1], [0; 8]), "scale: expected F32, found F64");
    refused(&valid().tensor("zero_weight_mask", Dtype::I8, &[ROWS], [0; 4]), "zero_weight_mask: expected U8, found I8");
}

#[test]
fn missing_tensors_are_named() {
    for name in ["lookup_table", "dtype", "shape", "scale"] {
        let file = valid().without_tensor(name);
        let found: Vec<&String> = file.tensors.keys().collect();
        refused(&file, &format!("{name}: tensor missing; found {found:?}"));
    }
    let file = valid().without_tensor("dtype").tensor("two\nlines", Dtype::U8, &[0], []);
    assert!(refused_bytes(&file.bytes(), E3M4).contains("\"two\\nlines\""));
}

#[test]
fn shapes_must_agree() {
    let table = |shape: &[usize]| {
        let values = vec![0; shape.iter().product()];
        valid().tensor("lookup_table", Dtype::U8, shape, values)
    };
    refused(&table(&[12]), "lookup_table: expected 2 dimensions, found 1");
    refused(&table(&[]).tensor("lookup_table", Dtype::U8, &[], [0]), "lookup_table: expected 2 dimensions, found 0");
    refused(&table(&[2, 2, 3]), "lookup_table: expected 2 dimensions, found 3");
    refused(&table(&[3, 4]), "shape: expected 3 x 4 (lookup_table), found [4, 3]");
    let declared = |rows: i64, columns: i64| {
        valid().tensor("shape", Dtype::I64, &[2], [rows, columns].map(i64::to_le_bytes).concat())
    };
    for (rows, columns) in
        [(3, 4), (4, 4), (-4, -3), (4, -3), (0, 0), (i64::MAX, 2), (i64::MIN, i64::MIN), (1 << 32 | 4, 3)]
    {
        let expected = format!("shape: expected 4 x 3 (lookup_table), found [{rows}, {columns}]");
        refused(&declared(rows, columns), &expected);
    }
    let three = valid().tensor("shape", Dtype::I64, &[3], [4_i64, 3, 1].map(i64::to_le_bytes).concat());
    refused(&three, "shape: expected shape [2], found [3]");
}

#[test]
fn masks_must_have_a_byte_a_row() {
    for length in [0, 3, 5, 12] {
        let file = valid().tensor("zero_weight_mask", Dtype::U8, &[length], vec![0; length]);
        refused(&file, &format!("zero_weight_mask: expected shape [4], found [{length}]"));
    }
    let square = valid().tensor("zero_weight_mask", Dtype::U8, &[2, 2], [0; 4]);
    refused(&square, "zero_weight_mask: expected shape [4], found [2, 2]");
}

#[test]
fn scales_must_be_positive_and_finite() {
    for dtype in DType::ALL {
        for scale in [0.0, -0.0, -1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let file = TableFile::valid(dtype).tensor("scale", Dtype::F32, &[1], scale.to_le_bytes());
            refused(&file, &format!("table: expected a positive finite scale, found {scale}"));
        }
    }
    refused(&valid().tensor("scale", Dtype::F32, &[2], [0; 8]), "scale: expected shape [1], found [2]");
}

#[test]
fn scales_that_take_logits_out_of_range_are_refused() {
    let scale = |dtype, scale: f32| TableFile::valid(dtype).tensor("scale", Dtype::F32, &[1], scale.to_le_bytes());
    for dtype in [E3M4, E4M3FN] {
        refused(&scale(dtype, f32::MAX), "table: expected a scale that keeps logits finite, found 3.4028235e38");
    }
    let file = scale(DType::Float32, 1e20).value(3, 1, &(-1e20_f32).to_le_bytes());
    refused(&file, "lookup_table: value at row 3, column 1 is not finite");
}

#[test]
fn values_that_are_not_finite_are_located() {
    let floats = [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY].map(f32::to_le_bytes);
    let e3m4 = [0x70, 0x71, 0x7F, 0xF0, 0xF1, 0xFF].map(|code: u8| [code]);
    let e4m3fn = [[0x7F], [0xFF]];
    let bad: [(DType, Vec<&[u8]>); 3] = [
        (E3M4, e3m4.iter().map(|code| &code[..]).collect()),
        (E4M3FN, e4m3fn.iter().map(|code| &code[..]).collect()),
        (DType::Float32, floats.iter().map(|bytes| &bytes[..]).collect()),
    ];
    for (dtype, values) in bad {
        for value in values {
            for (row, column) in [(0, 0), (1, 2), (2, 0), (3, 2)] {
                let file = TableFile::valid(dtype).value(row, column, value);
                refused(&file, &format!("lookup_table: value at row {row}, column {column} is not finite"));
            }
        }
    }
    // Of several, the first; and a masked row is no excuse.
    refused(&valid().value(0, 2, &[0x7F]).value(2, 1, &[0x70]), "lookup_table: value at row 0, column 2 is not finite");
}

#[test]
fn languages_must_match_the_columns() {
    let languages = |json: &str| refused_bytes(&valid().key("languages", json).bytes(), E3M4);
    for json in ["", "eng_Latn", "{\"eng_Latn\": 0}", "[1, 2, 3]", "[\"a\", \"b\", \"c\"", "\"a\\nb\"", "\"a\nb\""] {
        let reason = languages(json);
        assert!(reason.starts_with("languages: expected a JSON list of codes: "), "{json}: {reason}");
    }
    assert_eq!(languages("[]"), "languages: expected 3, one a column, found 0");
    assert_eq!(languages(r#"["a", "b"]"#), "languages: expected 3, one a column, found 2");
    assert_eq!(languages(r#"["a", "b", "c", "d"]"#), "languages: expected 3, one a column, found 4");
    assert_eq!(languages(r#"["b", "a", "b"]"#), "languages: \"b\" stands twice");
}

#[test]
fn metadata_must_be_there_and_known() {
    for key in ["format_version", "languages", "pooling", "max_sequence_length", "tokenizer_sha256"] {
        refused(&valid().without_key(key), &format!("metadata key {key:?} is missing"));
    }
    refused(&valid().key("format_version", "2\n"), "format_version: expected \"1\", found \"2\\n\"");
    refused(
        &valid().key("pooling", "mean\n"),
        "pooling: expected \"average\", \"logsumexp\" or \"max\", found \"mean\\n\"",
    );
    for length in ["0", "abc", "-1", "1.5", "", "99999999999999999999", "5\n"] {
        let expected = format!("max_sequence_length: expected a positive integer, found {length:?}");
        refused(&valid().key("max_sequence_length", length), &expected);
    }
    let nothing = raw_file("{\"dtype\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", &[26]);
    assert!(refused_bytes(&nothing, E3M4).starts_with("lookup_table: tensor missing"));
}

#[test]
fn hostile_headers_are_refused() {
    let table = |shape: &str, offsets: &str| {
        format!("{{\"lookup_table\":{{\"dtype\":\"U8\",\"shape\":{shape},\"data_offsets\":{offsets}}}}}")
    };
    let malformed = [
        // The first wraps to 12 values in 64 bits, the second to 0.
        table("[9223372036854775814,2]", "[0,12]"),
        table("[4294967296,4294967296]", "[0,0]"),
        table("[18446744073709551616,1]", "[0,12]"),
        table("[-4,-3]", "[0,12]"),
        table("[4,3]", "[0,11]"),
        table("[4,3]", "[12,0]"),
        table("[4,3]", "[1,13]"),
        table("[4,3]", "[0,18446744073709551615]"),
        table("[4,3.5]", "[0,14]"),
        table("[4,3]", "[0]"),
        "{\"lookup\\ntable\":{\"dtype\":\"U8\",\"shape\":[4,3],\"data_offsets\":[12,0]}}".to_owned(),
        "{\"__metadata__\":{\"languages\":[\"a\"]}}".to_owned(),
        "[]".to_owned(),
        "{".to_owned(),
        String::new(),
    ];
    for header in malformed {
        let reason = refused_bytes(&raw_file(&header, &[0; 12]), E3M4);
        assert!(reason.starts_with("not a whole safetensors file: "), "{header}: {reason}");
    }
    for length in [u64::MAX, u64::MAX - 7, 1 << 62, 100_000_001, 3] {
        let bytes = [&length.to_le_bytes()[..], b"{}"].concat();
        assert!(refused_bytes(&bytes, E3M4).starts_with("not a whole safetensors file: "), "{length}");
    }
    assert!(refused_bytes(&raw_file("{\"\u{0}", b"\xff\xfe"), E3M4).starts_with("not a whole safetensors file: "));
}

#[test]
fn a_table_without_rows_or_columns_is_harmless() -> wldetect::Result<()> {
    let directory = TempDir::new().expect("a temporary directory");
    for (rows, columns, languages) in [(0, 3, "[\"a\",\"b\",\"c\"]"), (4, 0, "[]")] {
        let file = valid()
            .tensor("lookup_table", Dtype::U8, &[rows, columns], [])
            .tensor("shape", Dtype::I64, &[2], [rows as i64, columns as i64].map(i64::to_le_bytes).concat())
            .tensor("zero_weight_mask", Dtype::U8, &[rows], vec![0; rows])
            .key("languages", languages);
        let artifact = Artifact::open(&file.write(directory.path()), E3M4)?;
        assert_eq!((artifact.table().rows(), artifact.table().columns()), (rows, columns));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        refused_bytes(&bytes, E3M4);
    }

    /// Whatever a few bytes are changed to, opening either refuses the file in one line or gives a finite table.
    #[test]
    fn spoilt_files_are_refused_or_sound(
        dtype in prop::sample::select(DType::ALL.to_vec()),
        of_some_tokens: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let directory = TempDir::new().expect("a temporary directory");
        let calibration = r#"{"all": {"inverse_temperatures": [0.5, 2], "thresholds": {"spa_Latn": 0.25}}}"#;
        let file = TableFile::valid(dtype).key("calibration", calibration).key("hidden_languages", r#"["deu_Latn"]"#);
        let mut bytes = match of_some_tokens {
            false => file.bytes(),
            true => with_rows(file, &[-1, 2, 0, -1, 3, 1]).bytes(),
        };
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let path = write(directory.path(), dtype.file_name(), &bytes);
        match Artifact::open(&path, dtype) {
            Ok(artifact) => {
                let table = artifact.table();
                prop_assert!((0..8).filter_map(|id| table.row_of(id)).all(|row| (row as usize) < table.rows()));
                prop_assert_eq!(artifact.table().first_non_finite(), None);
                prop_assert_eq!(artifact.metadata().languages.len(), artifact.table().columns());
                prop_assert!(artifact.metadata().hidden.iter().all(|&index| index < artifact.table().columns()));
                if let Some(own) = artifact.metadata().calibrations.of(Features::All) {
                    prop_assert!(own.inverse_temperatures.iter().all(|&factor| factor > 0.0 && factor.is_finite()));
                    prop_assert!(own.thresholds.iter().all(|threshold| (0.0..=1.0).contains(threshold)));
                }
            }
            Err(error) => {
                prop_assert!(matches!(error, Error::Artifact { .. }), "{:?}", error);
                prop_assert!(!error.to_string().contains(['\n', '\r']), "{:?}", error.to_string());
            }
        }
    }
}

#[test]
fn dtypes_have_names_ids_and_files() {
    for dtype in DType::ALL {
        assert_eq!(DType::from_name(dtype.name()).ok(), Some(dtype));
        assert_eq!(DType::from_id(dtype.id()), Some(dtype));
        assert_eq!(stored_as(dtype).bitsize(), dtype.size() * 8);
        assert!(dtype.file_name().ends_with(&format!("{}.safetensors", dtype.name())));
    }
    assert_eq!((E3M4.id(), E4M3FN.id()), (26, 0));
    let error = DType::from_name("float64").unwrap_err();
    assert_eq!(error.to_string(), "table: expected \"e3m4\", \"e4m3fn\" or \"float32\", found \"float64\"");
}
