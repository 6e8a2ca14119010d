//! Small model directories, valid until a test spoils something.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView, serialize};
use sha2::{Digest, Sha256};
use wldetect::artifact::NgramArtifact;
use wldetect::{DType, Format};

/// Ids 0 to 3; splits at white space; what it does not know becomes id 0.
pub const TOKENIZER: &str = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
    "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null, "decoder": null,
    "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "one": 1, "uno": 2, "eins": 3}, "unk_token": "[UNK]"}}"#;

pub const LANGUAGES: [&str; 3] = ["eng_Latn", "spa_Latn", "deu_Latn"];
pub const ROWS: usize = 4;
pub const COLUMNS: usize = 3;

/// Rows of n-grams, and numbers a row.
pub const NGRAM_ROWS: usize = 16;
pub const NUMBERS: usize = 2;
/// n-grams of two characters, and words.
pub const NGRAMS: &str = r#"{"n_min": 2, "n_max": 2, "whole_words": true, "max_words": 3, "max_letters": 20, "rows": 16,
    "splitting": "spaces", "hash": "golden32"}"#;
/// What binds an n-gram table to its lookup table.
pub const ID: &str = "0123abcd";

/// Type, shape and bytes of a tensor.
pub type Tensor = (Dtype, Vec<usize>, Vec<u8>);

/// A table file in memory: the words of [`TOKENIZER`] speak for their language with logit 1, the unknown is masked.
#[derive(Clone)]
pub struct TableFile {
    pub dtype: DType,
    file_name: &'static str,
    table: &'static str,
    pub tensors: BTreeMap<String, Tensor>,
    pub metadata: HashMap<String, String>,
}

impl TableFile {
    pub fn valid(dtype: DType) -> Self {
        let values: Vec<f32> = (0..ROWS * COLUMNS).map(|i| f32::from(i / COLUMNS == i % COLUMNS + 1)).collect();
        let shape = [ROWS as i64, COLUMNS as i64].map(i64::to_le_bytes).concat();
        let tensors = [
            (
                "lookup_table",
                (stored_as(dtype), vec![ROWS, COLUMNS], values.iter().flat_map(|&v| store(dtype, v)).collect()),
            ),
            ("dtype", (Dtype::U8, vec![1], vec![dtype.id()])),
            ("shape", (Dtype::I64, vec![2], shape)),
            ("scale", (Dtype::F32, vec![1], 1_f32.to_le_bytes().into())),
            ("zero_weight_mask", (Dtype::U8, vec![ROWS], vec![1, 0, 0, 0])),
        ];
        let metadata = [
            ("format_version", "1".to_owned()),
            ("languages", format!("{LANGUAGES:?}")),
            ("pooling", "average".to_owned()),
            ("max_sequence_length", "512".to_owned()),
            ("tokenizer_sha256", sha256(TOKENIZER)),
        ];
        Self {
            dtype,
            file_name: dtype.file_name(),
            table: "lookup_table",
            tensors: tensors.map(|(name, tensor)| (name.to_owned(), tensor)).into(),
            metadata: metadata.map(|(key, value)| (key.to_owned(), value)).into(),
        }
    }

    /// The lookup table of a model that has n-gram rows.
    pub fn with_ngrams(dtype: DType) -> Self {
        Self::valid(dtype).key("ngram_table_id", ID)
    }

    /// The n-gram rows beside the lookup table of `dtype`: row r holds r / 4 and -r / 8, and the projection adds the first
    /// number to the first language, both to the second, and takes the second from the third.
    pub fn ngrams(dtype: DType) -> Self {
        let stored = if dtype == DType::Float32 { dtype } else { DType::Fp8(Format::E3M4) };
        let values = (0..NGRAM_ROWS).flat_map(|row| [row as f32 / 4.0, row as f32 / -8.0]);
        let shape = [NGRAM_ROWS as i64, NUMBERS as i64].map(i64::to_le_bytes).concat();
        let projection = [1.0_f32, 1.0, 0.0, 0.0, 1.0, -1.0].map(f32::to_le_bytes).concat();
        let metadata = [
            ("format_version", "1".to_owned()),
            ("languages", format!("{LANGUAGES:?}")),
            ("ngrams", NGRAMS.to_owned()),
            ("ngram_table_id", ID.to_owned()),
        ];
        Self {
            dtype: stored,
            file_name: NgramArtifact::file_name(dtype),
            table: "ngram_table",
            tensors: BTreeMap::new(),
            metadata: metadata.map(|(key, value)| (key.to_owned(), value)).into(),
        }
        .tensor(
            "ngram_table",
            stored_as(stored),
            &[NGRAM_ROWS, NUMBERS],
            values.flat_map(|value| store(stored, value)).collect::<Vec<_>>(),
        )
        .tensor("dtype", Dtype::U8, &[1], [stored.id()])
        .tensor("shape", Dtype::I64, &[2], shape)
        .tensor("scale", Dtype::F32, &[1], 1_f32.to_le_bytes())
        .tensor("projection", Dtype::F32, &[NUMBERS, COLUMNS], projection)
    }

    pub fn tensor(mut self, name: &str, dtype: Dtype, shape: &[usize], bytes: impl Into<Vec<u8>>) -> Self {
        self.tensors.insert(name.to_owned(), (dtype, shape.to_vec(), bytes.into()));
        self
    }

    pub fn without_tensor(mut self, name: &str) -> Self {
        assert!(self.tensors.remove(name).is_some());
        self
    }

    pub fn key(mut self, key: &str, value: &str) -> Self {
        self.metadata.insert(key.to_owned(), value.to_owned());
        self
    }

    pub fn without_key(mut self, key: &str) -> Self {
        assert!(self.metadata.remove(key).is_some());
        self
    }

    /// With `bytes` as the value in `row` and `column` of the table.
    pub fn value(mut self, row: usize, column: usize, bytes: &[u8]) -> Self {
        let (_, shape, table) = self.tensors.get_mut(self.table).expect("every model has one");
        let at = (row * shape[1] + column) * self.dtype.size();
        table[at..at + self.dtype.size()].copy_from_slice(bytes);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let views = self.tensors.iter().map(|(name, (dtype, shape, bytes))| {
            (name, TensorView::new(*dtype, shape.clone(), bytes).expect("a tensor that fits its shape"))
        });
        serialize(views, Some(self.metadata.clone())).expect("tensors that fit a file")
    }

    /// Writes the table file into `directory`.
    pub fn write(&self, directory: &Path) -> PathBuf {
        write(directory, self.file_name, &self.bytes())
    }
}

/// A safetensors file of this header, right or wrong, and `data`.
pub fn raw_file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

pub fn write(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, bytes).expect("a temporary directory can be written to");
    path
}

pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn stored_as(dtype: DType) -> Dtype {
    match dtype {
        DType::Fp8(_) => Dtype::U8,
        DType::Float32 => Dtype::F32,
    }
}

/// The bytes of `value` in a table of `dtype`.
pub fn store(dtype: DType, value: f32) -> Vec<u8> {
    match dtype {
        DType::Fp8(format) => vec![format.encode(value).expect("not NaN")],
        DType::Float32 => value.to_le_bytes().into(),
    }
}
