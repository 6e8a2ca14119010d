//! WLDetect: language detection from static LLM token embeddings.
//!
//! A model is a lookup table of one row per token and one column per language, stored in 8-bit floats. Detecting is:
//! tokenize the text, gather the tokens' rows, pool them, softmax. A model may have rows of character n-grams as well,
//! whose logits are added. Data flows one way through the modules:
//!
//! ```text
//! artifact (files, validated) -> table (rows) --+
//! tokenizer (text -> ids) ----------------------+-> pooling (ids -> logits) --+
//! fp8 (what a stored byte means) ---------------+                             +-> detector (text -> answer)
//! ngrams (text -> rows of a second table -> logits, added to those of tokens) +   -> batch (many texts, over threads)
//! ```
//!
//! The trainer uses `tokenizer`, `ngrams` and `fp8` as well, and two modules of its own: `bag`, which sums embeddings
//! over the tokens of texts, and `rows`, which learns the rows of n-grams. The loops of pooling and of these sums are in
//! `kernel`, once for each set of vector instructions.
//!
//! Nothing here knows Python except the module `python`, which exists only with the feature of that name.

pub mod answers;
pub mod artifact;
pub mod bag;
pub mod batch;
pub mod detector;
pub mod error;
pub mod fp8;
pub mod kernel;
pub mod letterless;
pub mod ngrams;
mod pieces;
pub mod pooling;
#[cfg(feature = "python")]
mod python;
pub mod rows;
pub mod segments;
pub mod table;
pub mod tokenizer;
mod workspaces;

pub use answers::{Answer, Detection, Hidden};
pub use detector::{Detector, Features};
pub use error::{Error, Result};
pub use fp8::Format;
pub use pooling::Pooling;
pub use table::{DType, Table};
pub use tokenizer::Tokenizer;
