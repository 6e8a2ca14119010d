//! The one error type of the crate.

use std::path::{Path, PathBuf};

/// Everything that can go wrong, each with what is needed to mend it. Every text is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of a model directory is truncated, malformed, or disagrees with another.
    #[error("{}: {reason}", path.display())]
    Artifact {
        /// The file at fault.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
    /// An argument is out of its domain.
    #[error("{0}")]
    InvalidArgument(String),
    /// A value that cannot be stored: NaN has no place in a table of logits.
    #[error("cannot encode NaN at flat index {index} as {format}")]
    NanEncoded {
        /// Position in the flattened input.
        index: usize,
        /// Name of the target format.
        format: &'static str,
    },
    /// The tokenizer definition is not usable, or refused a text.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// Whoever called a batch asked it to stop.
    #[error("interrupted")]
    Interrupted,
}

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn artifact(path: &Path, reason: impl Into<String>) -> Self {
        Self::Artifact { path: path.to_owned(), reason: reason.into() }
    }
}
