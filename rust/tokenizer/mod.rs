//! Text to token ids, exactly as the `tokenizers` library gives them, without special tokens.
//!
//! Definitions that pass the checks in `definition.rs` are compiled to tables and encoded natively, all others by the
//! library. The tables are kept beside the definition in a file that is mapped, so that loading parses nothing.

mod added;
mod compile;
mod compiled;
mod cuts;
mod definition;
mod format;
mod hash;
mod lanes;
mod long;
mod memo;
mod merge;
mod merges;
mod native;
mod perfect;
mod pieces;

use std::path::Path;

use sha2::{Digest, Sha256};

use self::compiled::Compiled;
use crate::error::{Error, Result};

/// Name of the tokenizer definition in a model directory.
pub const TOKENIZER_FILE: &str = "tokenizer.json";
/// Name of its compiled form. Whoever removes the file finds it again after the next load.
pub const COMPILED_FILE: &str = "tokenizer.compiled";

/// A tokenizer read from a `tokenizer.json`, or from its compiled form.
pub struct Tokenizer {
    engine: Engine,
    sha256: String,
}

enum Engine {
    Native(Box<Compiled>),
    Library { tokenizer: Box<tokenizers::Tokenizer>, reason: String },
}

/// Room to work in; keep one a thread and reuse it.
#[derive(Default)]
pub struct Scratch(native::Scratch);

impl Tokenizer {
    /// Reads the text of a `tokenizer.json`. Truncation and padding settings in it are dropped: lengths are the
    /// caller's business.
    ///
    /// # Errors
    /// The text is not a definition that the `tokenizers` library accepts.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let digest: [u8; 32] = Sha256::digest(json).into();
        let engine = match Compiled::from_json(json, &digest) {
            Ok(compiled) => Engine::Native(Box::new(compiled)),
            Err(reason) => Engine::Library { tokenizer: Box::new(load_library(json)?), reason },
        };
        Ok(Self { engine, sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect() })
    }

    /// Reads the file `path`.
    ///
    /// # Errors
    /// It cannot be read, or is not a tokenizer definition.
    pub fn from_file(path: &Path) -> Result<Self> {
        let json = std::fs::read(path).map_err(|error| Error::io(path, error))?;
        Self::from_json(&json).map_err(|error| Error::artifact(path, error.to_string()))
    }

    /// The tokenizer of a model directory, which must have the SHA-256 `sha256` (hexadecimal).
    ///
    /// The compiled form is used where it is there and made from that definition. Otherwise the definition is read,
    /// and the compiled form is written for the next time, if the directory can be written.
    ///
    /// # Errors
    /// There is no such compiled form, and the definition cannot be read, is malformed, or is another one. Of a directory
    /// with a compiled form and no definition, why the former is of no use.
    pub fn open(directory: &Path, sha256: &str) -> Result<Self> {
        let (compiled, path) = (directory.join(COMPILED_FILE), directory.join(TOKENIZER_FILE));
        let digest = parse_sha256(sha256).ok_or_else(|| format!("made for no SHA-256, {sha256:?}"));
        match digest.and_then(|digest| Compiled::open(&compiled, &digest)) {
            Ok(engine) => return Ok(Self { engine: Engine::Native(Box::new(engine)), sha256: sha256.to_owned() }),
            Err(reason) if compiled.exists() && !path.exists() => {
                let reason = format!("{reason}; found no {TOKENIZER_FILE} to make it from again");
                return Err(Error::artifact(&compiled, reason));
            }
            Err(_) => {}
        }
        let tokenizer = Self::from_file(&path)?;
        if tokenizer.sha256 != sha256 {
            let reason =
                format!("expected the tokenizer of the table, sha256 {sha256:?}, found {:?}", tokenizer.sha256);
            return Err(Error::artifact(&path, reason));
        }
        // A directory that cannot be written costs time at the next load, and nothing else.
        let _ = tokenizer.save_compiled(&compiled);
        Ok(tokenizer)
    }

    /// Writes the compiled form to `path`, and says whether there is one: the library's tokenizers have none.
    ///
    /// # Errors
    /// The file cannot be written; nothing is left of it then.
    pub fn save_compiled(&self, path: &Path) -> Result<bool> {
        match &self.engine {
            Engine::Native(compiled) => compiled.save(path).map(|()| true).map_err(|error| Error::io(path, error)),
            Engine::Library { .. } => Ok(false),
        }
    }

    /// The first `max_length` token ids of `text`.
    ///
    /// # Errors
    /// The tokenizer cannot express the text (a model without an unknown token, say).
    pub fn encode(&self, text: &str, max_length: usize) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        self.encode_into(text, max_length, &mut Scratch::default(), &mut ids)?;
        Ok(ids)
    }

    /// [`Self::encode`] behind what is in `ids` already, without allocating once `scratch` and `ids` have grown.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_into(&self, text: &str, max_length: usize, scratch: &mut Scratch, ids: &mut Vec<u32>) -> Result<()> {
        match &self.engine {
            Engine::Native(compiled) => compiled.tables().encode(text, max_length, &mut scratch.0, ids),
            Engine::Library { tokenizer, .. } => {
                let encoding =
                    tokenizer.encode_fast(text, false).map_err(|error| Error::Tokenizer(error.to_string()))?;
                let found = encoding.get_ids();
                ids.extend_from_slice(&found[..found.len().min(max_length)]);
            }
        }
        Ok(())
    }

    /// Number of ids, added tokens included: one more than the largest id when none is skipped.
    pub fn vocab_size(&self) -> usize {
        match &self.engine {
            Engine::Native(compiled) => compiled.tables().vocab_size(),
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

fn parse_sha256(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != digest.len() || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

fn load_library(json: &[u8]) -> Result<tokenizers::Tokenizer> {
    merges::check(json)?;
    let refused = |error: tokenizers::Error| Error::Tokenizer(error.to_string());
    let mut tokenizer = tokenizers::Tokenizer::from_bytes(json).map_err(refused)?;
    tokenizer.with_truncation(None).map_err(refused)?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}
