//! The rows of character n-grams, beside a lookup table.
//!
//! The file is safetensors: `ngram_table` [B, r] (uint8 codes of E3M4, or float32), `dtype` uint8 [1], `shape` int64 [2],
//! `scale` float32 [1], and, unless a row holds one number for each of the L languages, `projection` float32 [r, L]. The
//! header's metadata says which n-grams have these rows (`ngrams`, a JSON object) and which lookup table they belong to
//! (`ngram_table_id`, the same text in both files).

use std::path::{Path, PathBuf};

use safetensors::tensor::Dtype as TensorDtype;
use serde_json::{Map, Value};

use super::header::{Header, StoredTable, StoredTokenRows};
use super::lookup::Metadata;
use super::mapped::{MappedTable, map};
use crate::error::{Error, Result};
use crate::fp8::Format;
use crate::ngrams::{HASH, Ngrams, Projection, Spec, Splitting};
use crate::table::{DType, Table};

/// No logit of n-grams may be larger. Adding one to a finite logit of tokens then gives a finite sum, however large that
/// is: it is less than half the distance between the largest numbers of `f32`.
const LARGEST_LOGIT: f64 = 1e30;

/// An open, validated n-gram table.
#[derive(Debug)]
pub struct NgramArtifact {
    path: PathBuf,
    table: MappedTable,
    ngrams: Ngrams,
    projection: Option<Projection>,
}

impl NgramArtifact {
    /// Name of the file beside the lookup table of `dtype`.
    pub const fn file_name(dtype: DType) -> &'static str {
        match dtype {
            DType::Fp8(_) => "ngram_table_fp8_e3m4.safetensors",
            DType::Float32 => "ngram_table_float32.safetensors",
        }
    }

    /// Opens and validates the file at `path`, which must belong to the lookup table of `dtype` that says `lookup` about
    /// itself.
    ///
    /// # Errors
    /// As [`super::Artifact::open`]; and [`Error::Artifact`] when the file belongs to another model, its languages are not
    /// those of the lookup table, `ngrams` is not what [`Ngrams::new`] takes or has another number of rows than the table,
    /// the projection does not fit, or logits could leave the range of `f32`.
    pub fn open(path: &Path, dtype: DType, lookup: &Metadata) -> Result<Self> {
        let map = map(path)?;
        let header = Header::parse(path, &map)?;
        let id = header.key("ngram_table_id")?;
        if lookup.ngram_table_id.as_deref() != Some(id) {
            let expected = lookup.ngram_table_id.as_deref().unwrap_or_default();
            let reason =
                format!("ngram_table_id: expected {expected:?} (lookup table), found {id:?}: of another model");
            return Err(header.error(reason));
        }
        let stored_dtype = match dtype {
            DType::Fp8(_) => DType::Fp8(Format::E3M4),
            DType::Float32 => DType::Float32,
        };
        let stored = header.table("ngram_table", stored_dtype)?;
        same_languages(&header, &lookup.languages)?;
        let ngrams = ngrams(&header, stored.rows)?;
        let projection = projection(&header, &stored, lookup.languages.len())?;
        let table = MappedTable::new(path, map, stored, StoredTokenRows::Own)?;
        let largest = table.table().largest() * projection.as_ref().map_or(1.0, Projection::gain);
        if largest > LARGEST_LOGIT {
            let reason =
                format!("ngram_table: expected logits of at most {LARGEST_LOGIT:e}, found {:e}", largest as f32);
            return Err(Error::artifact(path, reason));
        }
        Ok(Self { path: path.to_owned(), table, ngrams, projection })
    }

    /// Row r of it is that of every n-gram whose number is r.
    pub fn table(&self) -> &Table<'_> {
        self.table.table()
    }

    /// What numbers n-grams.
    pub fn ngrams(&self) -> &Ngrams {
        &self.ngrams
    }

    /// What turns the average of rows into logits; `None`: the average is the logits.
    pub fn projection(&self) -> Option<&Projection> {
        self.projection.as_ref()
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole file.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.table.bytes()
    }
}

fn same_languages(header: &Header<'_>, expected: &[String]) -> Result<()> {
    let found = header.languages(expected.len())?;
    match expected.iter().zip(&found).position(|(expected, found)| expected != found) {
        None => Ok(()),
        Some(index) => {
            let (expected, found) = (&expected[index], &found[index]);
            Err(header.error(format!("languages: expected {expected:?} (lookup table) at {index}, found {found:?}")))
        }
    }
}

/// The extraction that the metadata describes, for a table of `rows` rows.
fn ngrams(header: &Header<'_>, rows: usize) -> Result<Ngrams> {
    const KEYS: [&str; 8] = ["n_min", "n_max", "whole_words", "max_words", "max_letters", "rows", "splitting", "hash"];
    let object: Map<String, Value> = serde_json::from_str(header.key("ngrams")?)
        .map_err(|error| header.error(format!("ngrams: expected a JSON object: {error}")))?;
    if let Some(key) = object.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(header.error(format!("ngrams: expected the keys {}, found {key:?}", KEYS.join(", "))));
    }
    let value = |key: &str| object.get(key).ok_or_else(|| header.error(format!("ngrams.{key}: key missing")));
    let wrong = |key: &str, expected: &str, found: &Value| {
        header.error(format!("ngrams.{key}: expected {expected}, found {found}"))
    };
    let count = |key: &str| {
        let found = value(key)?;
        let number = found.as_u64().and_then(|number| usize::try_from(number).ok());
        number.ok_or_else(|| wrong(key, "an integer of 0 or more", found))
    };
    let hash = value("hash")?;
    if *hash != HASH {
        return Err(wrong("hash", &format!("{HASH:?}"), hash));
    }
    let declared = count("rows")?;
    if declared != rows {
        return Err(header.error(format!("ngrams.rows: expected {rows} (ngram_table), found {declared}")));
    }
    let whole_words = value("whole_words")?;
    let splitting = value("splitting")?;
    let spec = Spec {
        n_min: count("n_min")?,
        n_max: count("n_max")?,
        whole_words: whole_words.as_bool().ok_or_else(|| wrong("whole_words", "true or false", whole_words))?,
        max_words: count("max_words")?,
        max_letters: count("max_letters")?,
        rows: u32::try_from(rows).map_err(|_| wrong("rows", "a number of 32 bits", &rows.into()))?,
        splitting: match splitting.as_str() {
            Some(name) => Splitting::from_name(name).map_err(|error| header.error(format!("ngrams.{error}")))?,
            None => return Err(wrong("splitting", "text", splitting)),
        },
    };
    Ngrams::new(spec).map_err(|error| header.error(format!("ngrams.{error}")))
}

/// From the numbers of a row to `languages` logits.
fn projection(header: &Header<'_>, stored: &StoredTable, languages: usize) -> Result<Option<Projection>> {
    const NAME: &str = "projection";
    if !header.has_tensor(NAME) {
        if stored.columns == languages {
            return Ok(None);
        }
        let reason = format!("{} columns in ngram_table, {languages} languages, but no tensor {NAME}", stored.columns);
        return Err(header.error(reason));
    }
    let (values, _) = header.exactly(NAME, TensorDtype::F32, &[stored.columns, languages])?.as_chunks::<4>();
    let values: Vec<f32> = values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
        let (row, column) = (index / languages, index % languages);
        return Err(header.error(format!("{NAME}: value at row {row}, column {column} is not finite")));
    }
    Projection::new(stored.columns, languages, &values).map(Some).map_err(|error| header.error(error.to_string()))
}
