//! Text to language, over a loaded model directory.

use std::path::Path;

use crate::artifact::{Artifact, Metadata};
use crate::error::Result;
use crate::kernel::Kernel;
use crate::pooling::{Scratch, best_with, pool_with, softmax_with};
use crate::table::DType;
use crate::tokenizer::{self, Tokenizer};
use crate::workspaces::Workspaces;

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
    kernel: Kernel,
    workspaces: Workspaces<Workspace>,
}

/// What detecting needs beside the model; keep one a thread and reuse it.
pub struct Workspace {
    tokenizing: tokenizer::Scratch,
    ids: Vec<u32>,
    pooling: Scratch,
    scores: Vec<f32>,
}

impl Detector {
    /// Loads the table of `dtype` and the tokenizer from the model directory `directory`.
    ///
    /// # Errors
    /// A file is missing or unreadable, malformed, or the tokenizer is not the one the table was made with; or
    /// `WLDETECT_KERNEL` names a level that this CPU does not have.
    pub fn load(directory: &Path, dtype: DType) -> Result<Self> {
        let kernel = Kernel::chosen()?;
        let artifact = Artifact::open(&directory.join(dtype.file_name()), dtype)?;
        let tokenizer = Tokenizer::open(directory, &artifact.metadata().tokenizer_sha256)?;
        Ok(Self { artifact, tokenizer, kernel, workspaces: Workspaces::new() })
    }

    /// What the model says about itself: languages, pooling, length.
    pub fn metadata(&self) -> &Metadata {
        self.artifact.metadata()
    }

    /// Language codes by index.
    pub fn languages(&self) -> &[String] {
        &self.metadata().languages
    }

    /// The file of the table.
    pub fn table_path(&self) -> &Path {
        self.artifact.path()
    }

    /// The tokenizer in front of the table.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// SHA-256 (hexadecimal) of the table's file. It covers the tokenizer too, whose own is recorded there.
    pub fn fingerprint(&self) -> &str {
        self.artifact.fingerprint()
    }

    /// A workspace for [`Self::detect_with`].
    pub fn workspace(&self) -> Workspace {
        Workspace {
            tokenizing: tokenizer::Scratch::default(),
            ids: Vec::new(),
            pooling: Scratch::default(),
            scores: vec![0.0; self.languages().len()],
        }
    }

    /// Workspaces kept between calls.
    pub(crate) fn workspaces(&self) -> &Workspaces<Workspace> {
        &self.workspaces
    }

    /// The most probable language of `text`; `None` when no token of it has a row (an empty text, say).
    ///
    /// # Errors
    /// The tokenizer cannot express the text.
    pub fn detect(&self, text: &str) -> Result<Option<Detection>> {
        self.workspaces.with(|| self.workspace(), |workspace| self.detect_with(text, workspace))
    }

    /// [`Self::detect`] in a workspace of this detector.
    ///
    /// # Errors
    /// The tokenizer cannot express the text.
    pub fn detect_with(&self, text: &str, workspace: &mut Workspace) -> Result<Option<Detection>> {
        if !self.pool(text, workspace)? {
            return Ok(None);
        }
        let best = best_with(self.kernel, &workspace.scores);
        Ok(best.map(|(language, probability)| Detection { language, probability }))
    }

    /// The probability of every language, by index, or `None` as for [`Self::detect`].
    ///
    /// # Errors
    /// The tokenizer cannot express the text.
    pub fn probabilities(&self, text: &str) -> Result<Option<Vec<f32>>> {
        let copy = |workspace: &mut Workspace| Ok(self.probabilities_with(text, workspace)?.map(<[f32]>::to_vec));
        self.workspaces.with(|| self.workspace(), copy)
    }

    /// [`Self::probabilities`] in a workspace of this detector, which holds them.
    ///
    /// # Errors
    /// The tokenizer cannot express the text.
    pub fn probabilities_with<'w>(&self, text: &str, workspace: &'w mut Workspace) -> Result<Option<&'w [f32]>> {
        if !self.pool(text, workspace)? {
            return Ok(None);
        }
        softmax_with(self.kernel, &mut workspace.scores);
        Ok(Some(&workspace.scores))
    }

    /// Leaves the logits of `text` in `workspace.scores`; false when there is nothing to pool.
    fn pool(&self, text: &str, workspace: &mut Workspace) -> Result<bool> {
        let Workspace { tokenizing, ids, pooling, scores } = workspace;
        let metadata = self.metadata();
        ids.clear();
        self.tokenizer.encode_into(text, metadata.max_sequence_length, tokenizing, ids)?;
        Ok(pool_with(self.kernel, self.artifact.table(), ids, metadata.pooling, pooling, scores)? > 0)
    }
}
