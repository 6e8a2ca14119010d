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

/// Thresholds of texts that are long enough to tell whether their language is one that a model does not have.
#[derive(Clone, Debug, PartialEq)]
pub struct LongTexts {
    /// From how many pieces of evidence on a text is long.
    pub from_evidence: usize,
    /// The least probability with which each language is an answer to such a text, in 0..=1.
    pub thresholds: Vec<f32>,
}

/// What is said about the probabilities of one way to use a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// What logits are multiplied by, before the softmax, by the number of pieces of evidence: the first for one piece
    /// (or none), the last for as many as there are numbers, and for more. Positive and finite, at least one.
    pub inverse_temperatures: Vec<f32>,
    /// The least probability with which each language is an answer, in 0..=1.
    pub thresholds: Vec<f32>,
    /// The same for long texts, where it is something else.
    pub long_texts: Option<LongTexts>,
}

impl Calibration {
    /// That of a model which says nothing about its `languages` languages: probabilities as they are, every one an
    /// answer.
    pub fn none(languages: usize) -> Self {
        Self { inverse_temperatures: vec![1.0], thresholds: vec![0.0; languages], long_texts: None }
    }

    /// What logits are multiplied by that `evidence` rows were pooled to.
    pub fn inverse_temperature(&self, evidence: usize) -> f32 {
        let last = self.inverse_temperatures.len() - 1;
        self.inverse_temperatures[evidence.saturating_sub(1).min(last)]
    }

    /// With `threshold` for every language, and texts of every length.
    ///
    /// # Errors
    /// It is not in 0..=1.
    pub fn with_threshold(mut self, threshold: f32) -> Result<Self> {
        if !(0.0..=1.0).contains(&threshold) {
            return Err(Error::InvalidArgument(format!("threshold: expected a number from 0 to 1, found {threshold}")));
        }
        self.thresholds.fill(threshold);
        self.long_texts = None;
        Ok(self)
    }

    /// With the `languages`, by index, never an answer.
    pub fn hiding(mut self, languages: &[usize]) -> Self {
        // No probability is as large.
        for thresholds in
            [&mut self.thresholds].into_iter().chain(self.long_texts.as_mut().map(|long| &mut long.thresholds))
        {
            languages.iter().for_each(|&language| thresholds[language] = f32::INFINITY);
        }
        self
    }

    /// Whether a probability can be too small for an answer.
    pub fn has_thresholds(&self) -> bool {
        let long = self.long_texts.iter().flat_map(|long| &long.thresholds);
        self.thresholds.iter().chain(long).any(|&threshold| threshold > 0.0)
    }

    /// What to say of a text of `evidence` rows where `best` is the most probable language.
    #[inline]
    pub fn answer(&self, best: Detection, evidence: usize) -> Answer {
        let thresholds = match &self.long_texts {
            Some(long) if evidence >= long.from_evidence => &long.thresholds,
            _ => &self.thresholds,
        };
        match best.probability < thresholds[best.language] {
            true => Answer::Unknown { probability: best.probability },
            false => Answer::Language(best),
        }
    }
}
