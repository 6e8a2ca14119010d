//! Tables of some tokens only: each row is that of exactly one.

use safetensors::tensor::Dtype;
use tempfile::TempDir;
use wldetect::DType;
use wldetect::artifact::Artifact;

use super::model::{ROWS, TableFile};
use super::{refused, valid};

/// `file` with `row_of_token` in place of a mask.
pub fn with_rows(file: TableFile, numbers: &[i32]) -> TableFile {
    let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>();
    file.without_tensor("zero_weight_mask").tensor("row_of_token", Dtype::I32, &[numbers.len()], bytes)
}

#[test]
fn rows_may_be_those_of_some_tokens() -> wldetect::Result<()> {
    let directory = TempDir::new().expect("a temporary directory");
    let numbers = [-1, 3, -1, 0, 2, -1, 1];
    for dtype in DType::ALL {
        let artifact = Artifact::open(&with_rows(TableFile::valid(dtype), &numbers).write(directory.path()), dtype)?;
        let table = artifact.table();
        assert_eq!(table.rows(), ROWS);
        let found: Vec<_> = (0..9).map(|id| table.row_of(id)).collect();
        assert_eq!(found, [None, Some(3), None, Some(0), Some(2), None, Some(1), None, None]);
        assert_eq!(table.row_of(u32::MAX), None);
    }
    Ok(())
}

#[test]
fn every_row_must_be_that_of_one_token() {
    let refused = |numbers: &[i32], expected: &str| {
        refused(&with_rows(valid(), numbers), &format!("row_of_token: expected {expected}"));
    };
    refused(&[0, 1, 2, 4, 3], "-1 or a row below 4, found 4 for token 3");
    refused(&[0, 1, 2, -2, 3], "-1 or a row below 4, found -2 for token 3");
    refused(&[i32::MIN, 0, 1, 2, 3], "-1 or a row below 4, found -2147483648 for token 0");
    refused(&[0, 1, 2, 3, i32::MAX], "-1 or a row below 4, found 2147483647 for token 4");
    refused(&[0, -1, 1, 2, 0, 3], "a row of its own for token 4, found 0, that of 0");
    refused(&[0, -1, 1, 3], "a token for each of 4 rows, found none for row 2");
    refused(&[0, 1, 2], "a token for each of 4 rows, found 3 tokens");
    refused(&[], "a token for each of 4 rows, found 0 tokens");
}

#[test]
fn lists_of_rows_are_whole_and_alone() {
    let list = |dtype, shape: &[usize]| {
        let file = valid().without_tensor("zero_weight_mask");
        let size = dtype_size(dtype) * shape.iter().product::<usize>();
        file.tensor("row_of_token", dtype, shape, vec![0; size])
    };
    refused(&list(Dtype::U32, &[4]), "row_of_token: expected I32, found U32");
    refused(&list(Dtype::I64, &[4]), "row_of_token: expected I32, found I64");
    refused(&list(Dtype::I32, &[2, 2]), "row_of_token: expected 1 dimension, found 2");
    refused(&list(Dtype::I32, &[]), "row_of_token: expected 1 dimension, found 0");
    let both = with_rows(valid(), &[0, 1, 2, 3]).tensor("zero_weight_mask", Dtype::U8, &[ROWS], [0; ROWS]);
    refused(&both, "zero_weight_mask: expected none beside row_of_token, found one");
}

fn dtype_size(dtype: Dtype) -> usize {
    dtype.bitsize() / 8
}

#[test]
fn many_rows_of_nothing_take_no_memory() {
    let file = valid()
        .tensor("lookup_table", Dtype::U8, &[1 << 60, 0], [])
        .tensor("shape", Dtype::I64, &[2], [1_i64 << 60, 0].map(i64::to_le_bytes).concat())
        .key("languages", "[]");
    let reason = "row_of_token: expected a token for each of 1152921504606846976 rows, found 2 tokens";
    refused(&with_rows(file, &[0, 1]), reason);
}
