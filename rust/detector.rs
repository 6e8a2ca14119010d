//! Text to language, over a loaded model directory.

use std::path::Path;

use rayon::prelude::*;

use crate::artifact::{Artifact, Metadata};
use crate::error::{Error, Result};
use crate::pooling::{Scratch, argmax, pool, softmax};
use crate::table::{DType, Table};
use crate::tokenizer::Tokenizer;

/// The most probable language of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Index into [`Detector::languages`].
    pub language: usize,
    /// Its softmax probability, in 0..=1.
    pub probability: f32,
}

/// A loaded model. Shared freely between threads.
pub struct Detector {
    artifact: Artifact,
    tokenizer: Tokenizer,
}

impl Detector {
    /// Loads the table of `dtype` and the tokenizer from the model directory `directory`.
    ///
    /// # Errors
    /// A file is missing or unreadable, malformed, or the tokenizer is not the one the table was made with.
    pub fn load(directory: &Path, dtype: DType) -> Result<Self> {
        let artifact = Artifact::open(&directory.join(dtype.file_name()), dtype)?;
        let tokenizer = Tokenizer::open(directory, &artifact.metadata().tokenizer_sha256)?;
        Ok(Self { artifact, tokenizer })
    }

    /// What the model says about itself: languages, pooling, length.
    pub fn metadata(&self) -> &Metadata {
        self.artifact.metadata()
    }

    /// Language codes by index.
    pub fn languages(&self) -> &[String] {
        &self.metadata().languages
    }

    /// The tokenizer in front of the table.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The most probable language of `text`; `None` when no token of it has a row (an empty text, say).
    ///
    /// # Errors
    /// The tokenizer cannot express the text.
    pub fn detect(&self, text: &str) -> Result<Option<Detection>> {
        self.detect_with(&self.artifact.table()?, &mut Buffers::new(self.languages().len()), text)
    }

    /// The probability of every language, by index, or `None` as for [`Self::detect`].
    ///
    /// # Errors
    /// The tokenizer cannot express the text.
    pub fn probabilities(&self, text: &str) -> Result<Option<Vec<f32>>> {
        let mut buffers = Buffers::new(self.languages().len());
        let found = self.score(&self.artifact.table()?, &mut buffers, text)?;
        Ok(found.then_some(buffers.scores))
    }

    /// [`Self::detect`] for each text, on `threads` threads (`None`: as many as there are cores), in order.
    ///
    /// # Errors
    /// `threads` is 0, the threads cannot be started, or the tokenizer cannot express a text.
    pub fn detect_batch<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        threads: Option<usize>,
    ) -> Result<Vec<Option<Detection>>> {
        let table = self.artifact.table()?;
        in_parallel(threads, || {
            texts
                .par_iter()
                .map_init(
                    || Buffers::new(self.languages().len()),
                    |buffers, text| self.detect_with(&table, buffers, text.as_ref()),
                )
                .collect()
        })?
    }

    fn detect_with(&self, table: &Table<'_>, buffers: &mut Buffers, text: &str) -> Result<Option<Detection>> {
        if !self.score(table, buffers, text)? {
            return Ok(None);
        }
        let best = argmax(&buffers.scores);
        Ok(best.map(|language| Detection { language, probability: buffers.scores[language] }))
    }

    /// Leaves the probabilities of `text` in `buffers.scores`; false when there is nothing to pool.
    fn score(&self, table: &Table<'_>, buffers: &mut Buffers, text: &str) -> Result<bool> {
        let metadata = self.metadata();
        let ids = self.tokenizer.encode(text, metadata.max_sequence_length)?;
        let pooled = pool(table, &ids, metadata.pooling, &mut buffers.scratch, &mut buffers.scores)?;
        softmax(&mut buffers.scores);
        Ok(pooled > 0)
    }
}

struct Buffers {
    scratch: Scratch,
    scores: Vec<f32>,
}

impl Buffers {
    fn new(languages: usize) -> Self {
        Self { scratch: Scratch::default(), scores: vec![0.0; languages] }
    }
}

/// Runs `work` on a pool of `threads` threads; `None` uses the shared pool of one thread a core.
pub(crate) fn in_parallel<R: Send>(threads: Option<usize>, work: impl FnOnce() -> R + Send) -> Result<R> {
    match threads {
        None => Ok(work()),
        Some(0) => Err(Error::InvalidArgument("threads: expected at least 1, found 0".into())),
        Some(threads) => rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|error| Error::InvalidArgument(format!("threads: cannot start {threads}: {error}")))
            .map(|pool| pool.install(work)),
    }
}
