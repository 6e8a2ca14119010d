//! Merges that the library would panic on, in definitions that the native path does not take.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::error::{Error, Result};

#[derive(Deserialize)]
struct File {
    model: Model,
}

#[derive(Deserialize)]
struct Model {
    vocab: HashMap<String, IgnoredAny>,
    merges: Vec<Merge>,
    continuing_subword_prefix: Option<String>,
}

/// As a pair, or as older definitions spell it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Pair(String, String),
    Spaced(String),
}

/// The library (0.23) puts the parts of a merge into a buffer as long as the longest piece before it asks whether what
/// they make is one, and takes the prefix off the second without asking whether it is there.
///
/// # Errors
/// The parts of a merge make more than the longest piece, or the second is shorter than the prefix.
pub(super) fn check(json: &[u8]) -> Result<()> {
    // What is not of this form has no merges, or the library says what is wrong with it.
    let Ok(File { model }) = serde_json::from_slice::<File>(json) else { return Ok(()) };
    let longest = model.vocab.keys().map(String::len).max().unwrap_or(0);
    let prefix = model.continuing_subword_prefix.map_or(0, |prefix| prefix.len());
    for merge in &model.merges {
        let parts = match merge {
            Merge::Pair(left, right) => Some((left.as_str(), right.as_str())),
            Merge::Spaced(both) => both.split_once(' '),
        };
        if let Some((left, right)) = parts
            && (right.len() < prefix || left.len() + right.len() - prefix > longest)
        {
            return Err(Error::Tokenizer(format!("model.merges: {left:?} and {right:?} make no piece")));
        }
    }
    Ok(())
}
