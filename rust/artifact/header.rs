//! What every table file has: a safetensors header, languages, and a table with its dtype, shape and scale.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use safetensors::tensor::{Dtype as TensorDtype, SafeTensorError, SafeTensors, TensorInfo};

use super::FORMAT_VERSION;
use crate::error::{Error, Result};
use crate::table::DType;

/// Where a table is in its file, its sizes and scale.
pub(super) struct StoredTable {
    pub(super) name: &'static str,
    pub(super) dtype: DType,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) scale: f32,
    pub(super) data: Range<usize>,
}

/// Where it is said which row a token has.
pub(super) enum StoredTokenRows {
    /// Nowhere: token i has row i.
    Own,
    /// In a mask, a byte for each row.
    Unmasked(Range<usize>),
    /// In a list of row numbers, four bytes for each token.
    Listed(Range<usize>),
}

/// The parsed safetensors header of a mapped file.
pub(super) struct Header<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    data_start: usize,
    tensors: HashMap<String, TensorInfo>,
    keys: HashMap<String, String>,
}

impl<'a> Header<'a> {
    pub(super) fn parse(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        // Deserializing checks the header against the file: bounds, overflow, overlaps, gaps, and the file's length.
        // The library's text may quote names of the header, which may hold anything: escaped, it stays one line.
        let malformed = |error: SafeTensorError| {
            Error::artifact(path, format!("not a whole safetensors file: {}", error.to_string().escape_debug()))
        };
        SafeTensors::deserialize(bytes).map_err(malformed)?;
        let (header_len, metadata) = SafeTensors::read_metadata(bytes).map_err(malformed)?;
        let tensors = metadata.tensors().into_iter().map(|(name, info)| (name, info.clone())).collect();
        let keys = metadata.metadata().clone().unwrap_or_default();
        // The length of the header stands before it in eight bytes.
        Ok(Self { path, bytes, data_start: 8 + header_len, tensors, keys })
    }

    fn tensor(&self, name: &str, dtype: TensorDtype) -> Result<(&[usize], Range<usize>)> {
        let Some(info) = self.tensors.get(name) else {
            let mut found: Vec<&str> = self.tensors.keys().map(String::as_str).collect();
            found.sort_unstable();
            return Err(self.error(format!("{name}: tensor missing; found {found:?}")));
        };
        if info.dtype != dtype {
            return Err(self.error(format!("{name}: expected {dtype:?}, found {:?}", info.dtype)));
        }
        let (start, end) = info.data_offsets;
        Ok((&info.shape, self.data_start + start..self.data_start + end))
    }

    /// Where the tensor `name` is, of `dtype` and `shape`.
    pub(super) fn range_of(&self, name: &str, dtype: TensorDtype, shape: &[usize]) -> Result<Range<usize>> {
        let (found, range) = self.tensor(name, dtype)?;
        if found != shape {
            return Err(self.error(format!("{name}: expected shape {shape:?}, found {found:?}")));
        }
        Ok(range)
    }

    /// Where the tensor `name` is, of `dtype` and one dimension of any length.
    pub(super) fn range_of_list(&self, name: &str, dtype: TensorDtype) -> Result<Range<usize>> {
        let (found, range) = self.tensor(name, dtype)?;
        match found {
            [_] => Ok(range),
            _ => Err(self.error(format!("{name}: expected 1 dimension, found {}", found.len()))),
        }
    }

    /// The bytes of the tensor `name`, of `dtype` and `shape`.
    pub(super) fn exactly(&self, name: &str, dtype: TensorDtype, shape: &[usize]) -> Result<&'a [u8]> {
        Ok(&self.bytes[self.range_of(name, dtype, shape)?])
    }

    fn scalar(&self, name: &str, dtype: TensorDtype) -> Result<&'a [u8]> {
        self.exactly(name, dtype, &[1])
    }

    pub(super) fn has_tensor(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    pub(super) fn optional_key(&self, name: &str) -> Option<&str> {
        self.keys.get(name).map(String::as_str)
    }

    pub(super) fn key(&self, name: &str) -> Result<&str> {
        self.optional_key(name).ok_or_else(|| self.error(format!("metadata key {name:?} is missing")))
    }

    /// The table called `name`, which must be of `dtype`, and what the tensors beside it say about it.
    pub(super) fn table(&self, name: &'static str, dtype: DType) -> Result<StoredTable> {
        let id = self.scalar("dtype", TensorDtype::U8)?[0];
        match DType::from_id(id) {
            Some(found) if found == dtype => {}
            Some(found) => {
                let reason =
                    format!("dtype: expected {} ({}), found {id} ({})", dtype.id(), dtype.name(), found.name());
                return Err(self.error(reason));
            }
            None => {
                let known: Vec<String> = DType::ALL.iter().map(|d| format!("{} ({})", d.id(), d.name())).collect();
                return Err(self.error(format!("dtype: expected one of {}, found {id}", known.join(", "))));
            }
        }
        let stored_as = match dtype {
            DType::Fp8(_) => TensorDtype::U8,
            DType::Float32 => TensorDtype::F32,
        };
        let (shape, data) = self.tensor(name, stored_as)?;
        let &[rows, columns] = shape else {
            return Err(self.error(format!("{name}: expected 2 dimensions, found {}", shape.len())));
        };
        let (words, _) = self.exactly("shape", TensorDtype::I64, &[2])?.as_chunks::<8>();
        let declared: Vec<i64> = words.iter().map(|&word| i64::from_le_bytes(word)).collect();
        if declared.iter().map(|&n| usize::try_from(n)).ne([Ok(rows), Ok(columns)]) {
            return Err(self.error(format!("shape: expected {rows} x {columns} ({name}), found {declared:?}")));
        }
        let (words, _) = self.scalar("scale", TensorDtype::F32)?.as_chunks::<4>();
        Ok(StoredTable { name, dtype, rows, columns, scale: f32::from_le_bytes(words[0]), data })
    }

    /// Checks the version; gives the languages, one for each of `columns`.
    pub(super) fn languages(&self, columns: usize) -> Result<Vec<String>> {
        let version = self.key("format_version")?;
        if version != FORMAT_VERSION {
            return Err(self.error(format!("format_version: expected {FORMAT_VERSION:?}, found {version:?}")));
        }
        let languages: Vec<String> = serde_json::from_str(self.key("languages")?)
            .map_err(|error| self.error(format!("languages: expected a JSON list of codes: {error}")))?;
        if languages.len() != columns {
            let reason = format!("languages: expected {columns}, one a column, found {}", languages.len());
            return Err(self.error(reason));
        }
        let mut sorted: Vec<&str> = languages.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(self.error(format!("languages: {:?} stands twice", pair[0])));
        }
        Ok(languages)
    }

    pub(super) fn error(&self, reason: String) -> Error {
        Error::artifact(self.path, reason)
    }
}
