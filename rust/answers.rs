//! From logits and the amount of evidence behind them to an answer: a language, "unknown", or nothing.

use crate::error::{Error, Result};

/// What a text is called whose language is not known. No label of a table.
pub const UNKNOWN: &str = "und";

/// What becomes of an answer that is one of a model's hidden languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hidden {
    /// It is unknown.
    Unknown,
    /// It is reported as any other.
    Report,
}

impl Hidden {
    /// Every choice, default first.
    pub const ALL: [Self; 2] = [Self::Unknown, Self::Report];

    /// `unknown` or `report`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Report => "report",
        }
    }

    /// The one called `name`; an error lists the names there are.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|hidden| hidden.name() == name).ok_or_else(|| {
            Error::InvalidArgument(format!("hidden: expected \"unknown\" or \"report\", found {name:?}"))
        })
    }
}

/// The most probable language of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Index into [`crate::Detector::languages`].
    pub language: usize,
    /// Its probability, in 0..=1.
    pub probability: f32,
}

/// What is said of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// Nothing of it has a row: an empty text, say.
    Nothing,
    /// No language is probable enough, or the most probable one is hidden.
    Unknown {
        /// That of the most probable language, above 0.
        probability: f32,
    },
    /// A language.
    Language(Detection),
}

impl Answer {
    /// The language, if it is one.
    pub fn detection(self) -> Option<Detection> {
        match self {
            Self::Language(detection) => Some(detection),
            Self::Nothing | Self::Unknown { .. } => None,
        }
    }
}

/// How a text of a known language is told from one of a language that a model does not have, which may be as surely the
/// most probable of those that it has: by how much speaks for it, beside how much more than for others.
#[derive(Clone, Debug, PartialEq)]
pub struct Familiarity {
    /// Texts of fewer pieces of evidence are all familiar.
    pub from_evidence: usize,
    /// What the log odds of each language are multiplied by, where it is the most probable, before they are added to its
    /// logit.
    pub odds_weights: Vec<f32>,
    /// The least sum with which each language is an answer.
    pub least: Vec<f32>,
}

impl Familiarity {
    /// The largest odds that count: beyond them, a probability of single precision tells no more.
    const MOST_ODDS: f32 = 1e6;

    /// Whether a text is as texts of `best` are, which has this `logit` before any temperature.
    fn holds(&self, best: Detection, logit: f32, evidence: usize) -> bool {
        let odds = (best.probability / (1.0 - best.probability)).min(Self::MOST_ODDS);
        evidence < self.from_evidence
            || logit + self.odds_weights[best.language] * odds.ln() >= self.least[best.language]
    }
}

/// What is said about the probabilities of one way to use a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// What logits are multiplied by, before the softmax, by the number of pieces of evidence: the first for one piece
    /// (or none), the last for as many as there are numbers, and for more. Positive and finite, at least one.
    pub inverse_temperatures: Vec<f32>,
    /// The least probability with which each language is an answer, in 0..=1.
    pub thresholds: Vec<f32>,
    /// What an answer needs beside that.
    pub familiarity: Option<Familiarity>,
}

impl Calibration {
    /// That of a model which says nothing about its `languages` languages: probabilities as they are, every one an
    /// answer.
    pub fn none(languages: usize) -> Self {
        Self { inverse_temperatures: vec![1.0], thresholds: vec![0.0; languages], familiarity: None }
    }

    /// What logits are multiplied by that `evidence` rows were pooled to.
    pub fn inverse_temperature(&self, evidence: usize) -> f32 {
        let last = self.inverse_temperatures.len() - 1;
        self.inverse_temperatures[evidence.saturating_sub(1).min(last)]
    }

    /// With `threshold` for every language, and nothing else that an answer needs.
    ///
    /// # Errors
    /// It is not in 0..=1.
    pub fn with_threshold(mut self, threshold: f32) -> Result<Self> {
        if !(0.0..=1.0).contains(&threshold) {
            return Err(Error::InvalidArgument(format!("threshold: expected a number from 0 to 1, found {threshold}")));
        }
        self.thresholds.fill(threshold);
        self.familiarity = None;
        Ok(self)
    }

    /// With the `languages`, by index, never an answer.
    pub fn hiding(mut self, languages: &[usize]) -> Self {
        // No probability is as large.
        languages.iter().for_each(|&language| self.thresholds[language] = f32::INFINITY);
        self
    }

    /// Whether an answer can be that a language is unknown, before any is hidden.
    pub fn has_thresholds(&self) -> bool {
        self.familiarity.is_some() || self.thresholds.iter().any(|&threshold| threshold > 0.0)
    }

    /// What to say where `best` is the most probable language, with this `logit` before any temperature, and `evidence`
    /// rows were pooled.
    #[inline]
    pub fn answer(&self, best: Detection, logit: f32, evidence: usize) -> Answer {
        let familiar = |familiarity: &Familiarity| familiarity.holds(best, logit, evidence);
        match best.probability >= self.thresholds[best.language] && self.familiarity.as_ref().is_none_or(familiar) {
            true => Answer::Language(best),
            false => Answer::Unknown { probability: best.probability },
        }
    }
}
