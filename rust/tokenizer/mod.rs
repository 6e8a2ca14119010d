//! Text to token ids, exactly as the `tokenizers` library gives them, without special tokens.
//!
//! Definitions that pass the checks in `definition.rs` are encoded natively, all others by the library.

mod added;
mod cuts;
mod definition;
mod hash;
mod merge;
mod native;
mod pieces;

use std::path::Path;

use sha2::{Digest, Sha256};

use self::native::Native;
use crate::error::{Error, Result};

/// A tokenizer read from a `tokenizer.json`.
pub struct Tokenizer {
    engine: Engine,
    sha256: String,
}

enum Engine {
    Native(Box<Native>),
    Library { tokenizer: Box<tokenizers::Tokenizer>, reason: String },
}

impl Tokenizer {
    /// Reads the text of a `tokenizer.json`. Truncation and padding settings in it are dropped: lengths are the
    /// caller's business.
    ///
    /// # Errors
    /// The text is not a definition that the `tokenizers` library accepts.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let engine = match Native::from_json(json) {
            Ok(native) => Engine::Native(Box::new(native)),
            Err(reason) => Engine::Library { tokenizer: Box::new(load_library(json)?), reason },
        };
        let sha256 = Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { engine, sha256 })
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
        match &self.engine {
            Engine::Native(native) => native.encode(text, max_length),
            Engine::Library { tokenizer, .. } => {
                let encoding =
                    tokenizer.encode_fast(text, false).map_err(|error| Error::Tokenizer(error.to_string()))?;
                let ids = encoding.get_ids();
                Ok(ids[..ids.len().min(max_length)].to_vec())
            }
        }
    }

    /// Number of ids, added tokens included: one more than the largest id when none is skipped.
    pub fn vocab_size(&self) -> usize {
        match &self.engine {
            Engine::Native(native) => native.vocab_size(),
            Engine::Library { tokenizer, .. } => tokenizer.get_vocab_size(true),
        }
    }

    /// SHA-256 of the JSON text, in hexadecimal: the fingerprint that a table records.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Why this definition is left to the `tokenizers` library, in one line; `None` when it is encoded natively,
    /// which gives the same ids, faster.
    pub fn fallback_reason(&self) -> Option<&str> {
        match &self.engine {
            Engine::Native(_) => None,
            Engine::Library { reason, .. } => Some(reason),
        }
    }
}

fn load_library(json: &[u8]) -> Result<tokenizers::Tokenizer> {
    let refused = |error: tokenizers::Error| Error::Tokenizer(error.to_string());
    let mut tokenizer = tokenizers::Tokenizer::from_bytes(json).map_err(refused)?;
    tokenizer.with_truncation(None).map_err(refused)?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}
