//! Small model directories, valid until a test spoils something.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView, serialize};
use sha2::{Digest, Sha256};
use wldetect::DType;

/// Ids 0 to 3; splits at white space; what it does not know becomes id 0.
pub const TOKENIZER: &str = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
    "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null, "decoder": null,
    "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "one": 1, "uno": 2, "eins": 3}, "unk_token": "[UNK]"}}"#;

pub const LANGUAGES: [&str; 3] = ["eng_Latn", "spa_Latn", "deu_Latn"];
pub const ROWS: usize = 4;
pub const COLUMNS: usize = 3;

/// Type, shape and bytes of a tensor.
pub type Tensor = (Dtype, Vec<usize>, Vec<u8>);

/// A table file in memory: the words of [`TOKENIZER`] speak for their language with logit 1, the unknown is masked.
#[derive(Clone)]
pub struct TableFile {
    pub dtype: DType,
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
            tensors: tensors.map(|(name, tensor)| (name.to_owned(), tensor)).into(),
            metadata: metadata.map(|(key, value)| (key.to_owned(), value)).into(),
        }
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
        let at = (row * COLUMNS + column) * self.dtype.size();
        let table = &mut self.tensors.get_mut("lookup_table").expect("every model has one").2;
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
        write(directory, self.dtype.file_name(), &self.bytes())
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
