//! A model directory's table file: memory-mapped, parsed and validated before anything reads a row.
//!
//! The file is safetensors: `lookup_table` [V, L] (uint8 codes, or float32), `dtype` uint8 [1], `shape` int64 [2],
//! `scale` float32 [1], optionally `zero_weight_mask` uint8 [V]; everything else is in the header's metadata.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use memmap2::Mmap;
use safetensors::tensor::{Dtype as TensorDtype, SafeTensorError, SafeTensors, TensorInfo};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::pooling::Pooling;
use crate::table::{DType, Table};

/// Version of the metadata this crate reads and the exporter writes.
pub const FORMAT_VERSION: &str = "1";

/// What a table file says about itself, beside the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Language codes, one a column.
    pub languages: Vec<String>,
    /// How rows are pooled.
    pub pooling: Pooling,
    /// Tokens of a text that are used; the rest is left out.
    pub max_sequence_length: usize,
    /// SHA-256 (hexadecimal) of the `tokenizer.json` whose ids number the rows.
    pub tokenizer_sha256: String,
}

/// An open, validated table file.
#[derive(Debug)]
pub struct Artifact {
    path: PathBuf,
    /// Borrows from `map`, and so stands before it: fields are dropped in order.
    table: Table<'static>,
    map: Mmap,
    metadata: Metadata,
    fingerprint: OnceLock<String>,
}

impl Artifact {
    /// Opens and validates the table file at `path`, which must hold a table of `dtype`.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read; [`Error::Artifact`], naming what was expected and found, when it is
    /// truncated, a tensor or key is missing or of the wrong type or shape, the dtype id is unknown or another one,
    /// the scale or any value of the table is not finite, or the languages do not match the columns.
    pub fn open(path: &Path, dtype: DType) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::io(path, error))?;
        // SAFETY: the map is read-only and private to this process. Model files are written under a temporary name
        // and renamed, never changed in place, so the bytes do not change under the map.
        let map = unsafe { Mmap::map(&file) }.map_err(|error| Error::io(path, error))?;
        let header = Header::parse(path, &map)?;

        let id = header.scalar("dtype", TensorDtype::U8)?[0];
        match DType::from_id(id) {
            Some(found) if found == dtype => {}
            Some(found) => {
                let reason =
                    format!("dtype: expected {} ({}), found {id} ({})", dtype.id(), dtype.name(), found.name());
                return Err(Error::artifact(path, reason));
            }
            None => {
                let known: Vec<String> = DType::ALL.iter().map(|d| format!("{} ({})", d.id(), d.name())).collect();
                return Err(Error::artifact(path, format!("dtype: expected one of {}, found {id}", known.join(", "))));
            }
        }
        let stored_as = match dtype {
            DType::Fp8(_) => TensorDtype::U8,
            DType::Float32 => TensorDtype::F32,
        };
        let (shape, data) = header.tensor("lookup_table", stored_as)?;
        let &[rows, columns] = shape else {
            return Err(Error::artifact(path, format!("lookup_table: expected 2 dimensions, found {}", shape.len())));
        };
        let (words, _) = header.exactly("shape", TensorDtype::I64, 2)?.as_chunks::<8>();
        let declared: Vec<i64> = words.iter().map(|&word| i64::from_le_bytes(word)).collect();
        if declared.iter().map(|&n| usize::try_from(n)).ne([Ok(rows), Ok(columns)]) {
            let reason = format!("shape: expected {rows} x {columns} (lookup_table), found {declared:?}");
            return Err(Error::artifact(path, reason));
        }
        let (words, _) = header.scalar("scale", TensorDtype::F32)?.as_chunks::<4>();
        let scale = f32::from_le_bytes(words[0]);
        let mask = match header.tensors.contains_key("zero_weight_mask") {
            true => Some(header.range_of("zero_weight_mask", TensorDtype::U8, rows)?),
            false => None,
        };
        let metadata = header.metadata(columns)?;
        // SAFETY: the bytes stay where they are, unchanged, for as long as the map exists, however it is moved; the
        // map is owned by the same value as the table, is dropped after it, and `table` gives it out only for as long
        // as that value is borrowed.
        let bytes: &'static [u8] = unsafe { std::slice::from_raw_parts(map.as_ptr(), map.len()) };
        let table = Table::new(dtype, rows, columns, scale, &bytes[data], mask.map(|range| &bytes[range]))
            .map_err(|error| Error::artifact(path, error.to_string()))?;
        if let Some(index) = table.first_non_finite() {
            let reason =
                format!("lookup_table: value at row {}, column {} is not finite", index / columns, index % columns);
            return Err(Error::artifact(path, reason));
        }
        Ok(Self { path: path.to_owned(), table, map, metadata, fingerprint: OnceLock::new() })
    }

    /// The table itself.
    pub fn table(&self) -> &Table<'_> {
        &self.table
    }

    /// What the file says about itself.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// SHA-256 (hexadecimal) of the whole file. Reads it all, the first time it is asked for.
    pub fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| Sha256::digest(&self.map).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The parsed safetensors header of a mapped file.
struct Header<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    data_start: usize,
    tensors: HashMap<String, TensorInfo>,
    keys: HashMap<String, String>,
}

impl<'a> Header<'a> {
    fn parse(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
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

    fn range_of(&self, name: &str, dtype: TensorDtype, length: usize) -> Result<Range<usize>> {
        let (shape, range) = self.tensor(name, dtype)?;
        if shape != [length] {
            return Err(self.error(format!("{name}: expected shape [{length}], found {shape:?}")));
        }
        Ok(range)
    }

    fn exactly(&self, name: &str, dtype: TensorDtype, length: usize) -> Result<&'a [u8]> {
        Ok(&self.bytes[self.range_of(name, dtype, length)?])
    }

    fn scalar(&self, name: &str, dtype: TensorDtype) -> Result<&'a [u8]> {
        self.exactly(name, dtype, 1)
    }

    fn key(&self, name: &str) -> Result<&str> {
        self.keys.get(name).map(String::as_str).ok_or_else(|| self.error(format!("metadata key {name:?} is missing")))
    }

    fn metadata(&self, columns: usize) -> Result<Metadata> {
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
        let pooling = Pooling::from_name(self.key("pooling")?).map_err(|error| self.error(error.to_string()))?;
        let length = self.key("max_sequence_length")?;
        let max_sequence_length =
            length.parse().ok().filter(|&n| n > 0).ok_or_else(|| {
                self.error(format!("max_sequence_length: expected a positive integer, found {length:?}"))
            })?;
        let tokenizer_sha256 = self.key("tokenizer_sha256")?.to_owned();
        Ok(Metadata { languages, pooling, max_sequence_length, tokenizer_sha256 })
    }

    fn error(&self, reason: String) -> Error {
        Error::artifact(self.path, reason)
    }
}
