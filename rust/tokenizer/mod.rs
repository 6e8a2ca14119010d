//! Text to token ids, exactly as the `tokenizers` library gives them, without special tokens.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// A tokenizer read from a `tokenizer.json`.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    sha256: String,
}

impl Tokenizer {
    /// Reads the text of a `tokenizer.json`. Truncation and padding settings in it are dropped: lengths are the
    /// caller's business.
    ///
    /// # Errors
    /// The text is not a definition that the `tokenizers` library accepts.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let mut inner = tokenizers::Tokenizer::from_bytes(json).map_err(|error| Error::Tokenizer(error.to_string()))?;
        inner.with_truncation(None).map_err(|error| Error::Tokenizer(error.to_string()))?;
        inner.with_padding(None);
        let sha256 = Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { inner, sha256 })
    }

    /// Reads the file `path`.
    ///
    /// # Errors
    /// It cannot be read, or is not a tokenizer definition.
    pub fn from_file(path: &Path) -> Result<Self> {
        let json = std::fs::read(path).map_err(|error| Error::io(path, error))?;
        Self::from_json(&json).map_err(|error| Error::artifact(path, error.to_string()))
    }

    /// The first `max_length` token ids of `text`.
    ///
    /// # Errors
    /// The tokenizer cannot express the text (a model without an unknown token, say).
    pub fn encode(&self, text: &str, max_length: usize) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(text, false).map_err(|error| Error::Tokenizer(error.to_string()))?;
        let ids = encoding.get_ids();
        Ok(ids[..ids.len().min(max_length)].to_vec())
    }

    /// Number of ids, added tokens included: one more than the largest id when none is skipped.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// SHA-256 of the JSON text, in hexadecimal: the fingerprint that a table records.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}
