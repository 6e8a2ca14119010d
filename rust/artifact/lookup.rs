//! The lookup table: a row for each of V tokens, or for some of them.
//!
//! The file is safetensors: `lookup_table` [rows, L] (uint8 codes, or float32), `dtype` uint8 [1], `shape` int64 [2],
//! `scale` float32 [1], and at most one of `zero_weight_mask` uint8 [rows] and `row_of_token` int32 [V]; without the
//! latter row i is that of token i. Everything else is in the header's metadata.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use safetensors::tensor::Dtype as TensorDtype;

use super::calibration::{Calibrations, calibrations, hidden};
use super::header::{Header, StoredTokenRows};
use super::mapped::{MappedTable, map};
use super::sha256;
use crate::error::Result;
use crate::pooling::Pooling;
use crate::table::{DType, Table};

/// What a table file says about itself, beside the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    /// Language codes, one a column.
    pub languages: Vec<String>,
    /// How rows are pooled.
    pub pooling: Pooling,
    /// Tokens of a text that are used; the rest is left out.
    pub max_sequence_length: usize,
    /// SHA-256 (hexadecimal) of the `tokenizer.json` whose ids number the rows.
    pub tokenizer_sha256: String,
    /// What the n-gram table of the same model calls itself; `None`: the model has none.
    pub ngram_table_id: Option<String>,
    /// What turns its logits into probabilities that mean something, and when it is sure enough to answer.
    pub calibrations: Calibrations,
    /// Languages that are not reported unless asked for, by index.
    pub hidden: Vec<usize>,
}

/// An open, validated table file.
#[derive(Debug)]
pub struct Artifact {
    path: PathBuf,
    table: MappedTable,
    metadata: Metadata,
    fingerprint: OnceLock<String>,
}

impl Artifact {
    /// Opens and validates the table file at `path`, which must hold a table of `dtype`.
    ///
    /// # Errors
    /// [`crate::Error::Io`] when it cannot be read; [`crate::Error::Artifact`], naming what was expected and found, when
    /// it is truncated, a tensor or key is missing or of the wrong type or shape, the dtype id is unknown or another one,
    /// the scale or any value of the table is not finite, a row is not that of exactly one token, the languages do not
    /// match the columns, or `calibration` or `hidden_languages` is there and not as it should be.
    pub fn open(path: &Path, dtype: DType) -> Result<Self> {
        let map = map(path)?;
        let header = Header::parse(path, &map)?;
        let stored = header.table("lookup_table", dtype)?;
        let token_rows = token_rows(&header, stored.rows)?;
        let metadata = metadata(&header, stored.columns)?;
        let table = MappedTable::new(path, map, stored, token_rows)?;
        Ok(Self { path: path.to_owned(), table, metadata, fingerprint: OnceLock::new() })
    }

    /// The table itself.
    pub fn table(&self) -> &Table<'_> {
        self.table.table()
    }

    /// What the file says about itself.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// SHA-256 (hexadecimal) of the whole file. Reads it all, the first time it is asked for.
    pub fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| sha256([self.table.bytes()]))
    }

    /// The whole file.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.table.bytes()
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn token_rows(header: &Header<'_>, rows: usize) -> Result<StoredTokenRows> {
    let (mask, list) = ("zero_weight_mask", "row_of_token");
    match (header.has_tensor(mask), header.has_tensor(list)) {
        (false, false) => Ok(StoredTokenRows::Own),
        (true, false) => header.range_of(mask, TensorDtype::U8, &[rows]).map(StoredTokenRows::Unmasked),
        (false, true) => header.range_of_list(list, TensorDtype::I32).map(StoredTokenRows::Listed),
        (true, true) => Err(header.error(format!("{mask}: expected none beside {list}, found one"))),
    }
}

fn metadata(header: &Header<'_>, columns: usize) -> Result<Metadata> {
    let languages = header.languages(columns)?;
    let pooling = Pooling::from_name(header.key("pooling")?).map_err(|error| header.error(error.to_string()))?;
    let length = header.key("max_sequence_length")?;
    let max_sequence_length =
        length.parse().ok().filter(|&n| n > 0).ok_or_else(|| {
            header.error(format!("max_sequence_length: expected a positive integer, found {length:?}"))
        })?;
    let tokenizer_sha256 = header.key("tokenizer_sha256")?.to_owned();
    let ngram_table_id = header.optional_key("ngram_table_id").map(str::to_owned);
    let calibrations = calibrations(header, &languages)?;
    let hidden = hidden(header, &languages)?;
    Ok(Metadata { languages, pooling, max_sequence_length, tokenizer_sha256, ngram_table_id, calibrations, hidden })
}
