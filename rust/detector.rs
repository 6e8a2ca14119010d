//! Text to answer, over a loaded model directory.

use std::path::Path;
use std::sync::OnceLock;

use crate::answers::{Answer, Calibration, Detection, Hidden, UNKNOWN};
use crate::artifact::{Artifact, Metadata, NgramArtifact, sha256};
use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::letterless::{NOT_LANGUAGE, is_letterless};
use crate::ngrams::{self, LogitScratch, add_logits};
use crate::pooling::{Scratch, best_with, pool_with, softmax_with};
use crate::table::DType;
use crate::tokenizer::{self, Tokenizer};
use crate::workspaces::Workspaces;

/// Which of a model's families of rows to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Features {
    /// All that the model has.
    All,
    /// Rows of tokens alone; those of n-grams are not even looked for.
    Tokens,
    /// Rows of n-grams alone: texts are not tokenized.
    Ngrams,
}

impl Features {
    /// Every choice, default first.
    pub const ALL: [Self; 3] = [Self::All, Self::Tokens, Self::Ngrams];

    /// `all`, `tokens` or `ngrams`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Tokens => "tokens",
            Self::Ngrams => "ngrams",
        }
    }

    /// The one called `name`; an error lists the names there are.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|features| features.name() == name).ok_or_else(|| {
            Error::InvalidArgument(format!("features: expected \"all\", \"tokens\" or \"ngrams\", found {name:?}"))
        })
    }
}

/// The logit of [`NOT_LANGUAGE`] for a text without letters, beside 0 for every language: a probability of 1, at any
/// temperature a model comes with.
const NO_LETTERS: f32 = 1e4;

/// A loaded model. Shared freely between threads.
pub struct Detector {
    artifact: Artifact,
    features: Features,
    ngrams: Option<NgramArtifact>,
    not_language: Option<usize>,
    tokenizer: Tokenizer,
    calibration: Calibration,
    kernel: Kernel,
    fingerprint: OnceLock<String>,
    workspaces: Workspaces<Workspace>,
}

/// What detecting needs beside the model; keep one a thread and reuse it.
pub struct Workspace {
    tokenizing: tokenizer::Scratch,
    ids: Vec<u32>,
    pooling: Scratch,
    extracting: ngrams::Scratch,
    ngram_rows: Vec<u32>,
    ngram_logits: LogitScratch,
    scores: Vec<f32>,
}

impl Detector {
    /// Loads the table of `dtype`, the tokenizer and, if the model has them and `features` says so, the rows of n-grams
    /// from the model directory `directory`.
    ///
    /// # Errors
    /// A file is missing or unreadable, malformed, or of another model than the table; `features` asks for n-grams alone
    /// and the model has none; or `WLDETECT_KERNEL` names a level that this CPU does not have.
    pub fn load(directory: &Path, dtype: DType, features: Features) -> Result<Self> {
        let kernel = Kernel::chosen()?;
        let artifact = Artifact::open(&directory.join(dtype.file_name()), dtype)?;
        let ngrams = match (features, &artifact.metadata().ngram_table_id) {
            (Features::All | Features::Ngrams, Some(_)) => {
                let path = directory.join(NgramArtifact::file_name(dtype));
                Some(NgramArtifact::open(&path, dtype, artifact.metadata())?)
            }
            (Features::Ngrams, None) => {
                let reason = "features: expected a model with rows of n-grams, found one without (ngram_table_id)";
                return Err(Error::artifact(artifact.path(), reason));
            }
            (Features::All, None) | (Features::Tokens, _) => None,
        };
        let tokenizer = Tokenizer::open(directory, &artifact.metadata().tokenizer_sha256)?;
        let calibration = calibration(artifact.metadata(), features, Hidden::Unknown, None)?;
        let not_language = artifact.metadata().languages.iter().position(|language| language == NOT_LANGUAGE);
        let (fingerprint, workspaces) = (OnceLock::new(), Workspaces::new());
        Ok(Self { artifact, features, ngrams, not_language, tokenizer, calibration, kernel, fingerprint, workspaces })
    }

    /// With other answers: hidden languages as `hidden` says, and `threshold` (`None`: the model's own) as the least
    /// probability of an answer, 0 for any.
    ///
    /// # Errors
    /// `threshold` is not in 0..=1, or above 0 where a language is called [`UNKNOWN`].
    pub fn answering(mut self, hidden: Hidden, threshold: Option<f32>) -> Result<Self> {
        self.calibration = calibration(self.artifact.metadata(), self.features, hidden, threshold)?;
        Ok(self)
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

    /// The rows of n-grams that texts are scored by, beside those of tokens or alone.
    pub fn ngrams(&self) -> Option<&NgramArtifact> {
        self.ngrams.as_ref()
    }

    /// SHA-256 (hexadecimal) of the table's file and, behind it, that of the n-gram table, if it is used. It covers the
    /// tokenizer too, whose own is recorded there. Reads it all, the first time it is asked for.
    pub fn fingerprint(&self) -> &str {
        match &self.ngrams {
            None => self.artifact.fingerprint(),
            Some(ngrams) => self.fingerprint.get_or_init(|| sha256([self.artifact.bytes(), ngrams.bytes()])),
        }
    }

    /// A workspace for [`Self::detect_with`].
    pub fn workspace(&self) -> Workspace {
        Workspace {
            tokenizing: tokenizer::Scratch::default(),
            ids: Vec::new(),
            pooling: Scratch::default(),
            extracting: ngrams::Scratch::default(),
            ngram_rows: Vec::new(),
            ngram_logits: LogitScratch::default(),
            scores: vec![0.0; self.languages().len()],
        }
    }

    /// Workspaces kept between calls.
    pub(crate) fn workspaces(&self) -> &Workspaces<Workspace> {
        &self.workspaces
    }

    /// The most probable language of `text`, if it is probable enough.
    ///
    /// # Errors
    /// The tokenizer cannot express the text.
    pub fn detect(&self, text: &str) -> Result<Answer> {
        self.workspaces.with(|| self.workspace(), |workspace| self.detect_with(text, workspace))
    }

    /// [`Self::detect`] in a workspace of this detector.
    ///
    /// # Errors
    /// The tokenizer cannot express the text.
    pub fn detect_with(&self, text: &str, workspace: &mut Workspace) -> Result<Answer> {
        let Some(evidence) = self.pool(text, workspace)? else { return Ok(Answer::Nothing) };
        let best = best_with(self.kernel, &workspace.scores, self.calibration.inverse_temperature(evidence));
        let answer = |(language, probability)| self.calibration.answer(Detection { language, probability }, evidence);
        Ok(best.map_or(Answer::Nothing, answer))
    }

    /// The probability of every language, by index; `None` when nothing of `text` has a row.
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
        let Some(evidence) = self.pool(text, workspace)? else { return Ok(None) };
        softmax_with(self.kernel, &mut workspace.scores, self.calibration.inverse_temperature(evidence));
        Ok(Some(&workspace.scores))
    }

    /// What probabilities are made of: the logit of every language, by index, before any temperature, and the number of
    /// pieces of evidence that chooses one. `None` as for [`Self::probabilities`].
    ///
    /// # Errors
    /// The tokenizer cannot express the text.
    pub fn logits_with<'w>(&self, text: &str, workspace: &'w mut Workspace) -> Result<Option<(&'w [f32], usize)>> {
        Ok(self.pool(text, workspace)?.map(|evidence| (&*workspace.scores, evidence)))
    }

    /// Leaves the logits of `text` in `workspace.scores`; gives the number of token rows that were pooled, or of n-gram
    /// rows where they alone are used, and at least 1. `None` when there is nothing to pool. Of a text without letters
    /// nothing is pooled, if the model has the label [`NOT_LANGUAGE`].
    fn pool(&self, text: &str, workspace: &mut Workspace) -> Result<Option<usize>> {
        let Workspace { tokenizing, ids, pooling, extracting, ngram_rows, ngram_logits, scores } = workspace;
        if let Some(language) = self.not_language
            && is_letterless(text)
        {
            scores.fill(0.0);
            scores[language] = NO_LETTERS;
            return Ok(Some(1));
        }
        let metadata = self.metadata();
        let pooled = match self.features {
            Features::All | Features::Tokens => {
                ids.clear();
                self.tokenizer.encode_into(text, metadata.max_sequence_length, tokenizing, ids)?;
                pool_with(self.kernel, self.artifact.table(), ids, metadata.pooling, pooling, scores)?
            }
            Features::Ngrams => 0,
        };
        let Some(ngrams) = &self.ngrams else { return Ok((pooled > 0).then_some(pooled)) };
        ngram_rows.clear();
        ngrams.ngrams().rows_into(self.kernel, text, extracting, ngram_rows);
        if pooled == 0 {
            scores.fill(0.0);
        }
        add_logits(self.kernel, ngrams.table(), ngrams.projection(), ngram_rows, ngram_logits, scores)?;
        let evidence = match self.features {
            Features::All | Features::Tokens => pooled.max(usize::from(!ngram_rows.is_empty())),
            Features::Ngrams => ngram_rows.len(),
        };
        Ok((evidence > 0).then_some(evidence))
    }
}

/// How a model's logits become answers in one way to use it.
fn calibration(metadata: &Metadata, features: Features, hidden: Hidden, threshold: Option<f32>) -> Result<Calibration> {
    let own = metadata.calibrations.of(features).cloned();
    let own = own.unwrap_or_else(|| Calibration::none(metadata.languages.len()));
    let calibration = match threshold {
        None => own,
        Some(threshold) => own.with_threshold(threshold)?,
    };
    if calibration.has_thresholds() && metadata.languages.iter().any(|language| language == UNKNOWN) {
        let reason = format!("threshold: expected 0 for a model with a language called {UNKNOWN:?}, found more");
        return Err(Error::InvalidArgument(reason));
    }
    Ok(match hidden {
        Hidden::Unknown => calibration.hiding(&metadata.hidden),
        Hidden::Report => calibration,
    })
}
