//! Many texts over many threads: the same answers, in order, whatever the number of threads.

use std::ops::Range;

use crate::answers::{Answer, Detection};
use crate::detector::{Detector, Workspace};
use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::ngrams::{self, Ngrams};
use crate::pieces::{Stop, cut, in_pieces, split};
use crate::tokenizer::{Scratch, Tokenizer};

/// Label of a text whose language is unknown, and, with probability 0, of one that has no answer.
pub const NO_LANGUAGE: i32 = -1;

/// Few tokens have more bytes than this, so few texts cost more before they are truncated.
const BYTES_PER_TOKEN: usize = 16;
/// Few letters have more.
const BYTES_PER_LETTER: usize = 4;

/// Ids of several texts, end to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedBatch {
    /// The ids of all texts.
    pub ids: Vec<u32>,
    /// One more than there are texts: text `i` has the ids `offsets[i]..offsets[i + 1]`.
    pub offsets: Vec<i64>,
}

impl Detector {
    /// [`Self::detect`] for each text, on `threads` threads (`None`: as many as there are cores), in order.
    ///
    /// # Errors
    /// `threads` is 0, or the tokenizer cannot express a text.
    pub fn detect_batch<T: AsRef<str> + Sync>(&self, texts: &[T], threads: Option<usize>) -> Result<Vec<Answer>> {
        let (mut labels, mut probabilities) = (vec![NO_LANGUAGE; texts.len()], vec![0.0; texts.len()]);
        self.detect_batch_into(texts, threads, &mut labels, &mut probabilities, &mut || false)?;
        Ok(labels.into_iter().zip(probabilities).map(|(label, probability)| answer(label, probability)).collect())
    }

    /// [`Self::detect_batch`] into slices of one place a text: an index into [`Self::languages`] and its
    /// probability; [`NO_LANGUAGE`] and the probability of the best language where none is probable enough;
    /// [`NO_LANGUAGE`] and 0 where there is no answer.
    ///
    /// The calling thread, which does its share of the work, asks `interrupted` now and then; when it says true, every
    /// thread stops after the text it is at.
    ///
    /// # Errors
    /// `threads` is 0, a slice has not one place for each text, [`Error::Interrupted`], or the tokenizer cannot express
    /// a text. What the slices hold then is not said.
    pub fn detect_batch_into<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        threads: Option<usize>,
        labels: &mut [i32],
        probabilities: &mut [f32],
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<()> {
        let text = |index: usize| Some(texts[index].as_ref());
        self.detect_each(texts.len(), text, threads, labels, probabilities, interrupted)
    }

    /// [`Self::detect_batch_into`] for `count` texts, of which those that are `None` have no answer.
    pub(crate) fn detect_each<'t>(
        &self,
        count: usize,
        text: impl Fn(usize) -> Option<&'t str> + Sync,
        threads: Option<usize>,
        labels: &mut [i32],
        probabilities: &mut [f32],
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<()> {
        for (name, found) in [("labels", labels.len()), ("probabilities", probabilities.len())] {
            if found != count {
                let reason = format!("{name}: expected {count} places, one a text, found {found}");
                return Err(Error::InvalidArgument(reason));
            }
        }
        let ranges = self.cut(count, &text);
        let outputs = split(&ranges, 1, labels).into_iter().zip(split(&ranges, 1, probabilities));
        let pieces = ranges.iter().cloned().zip(outputs).collect();
        self.in_pieces(pieces, threads, interrupted, |workspace, (texts, (labels, probabilities)), stop| {
            for (index, (label, probability)) in texts.zip(labels.iter_mut().zip(probabilities)) {
                if stop.is_set() {
                    break;
                }
                let found = text(index).map_or(Ok(Answer::Nothing), |text| self.detect_with(text, workspace))?;
                (*label, *probability) = match found {
                    Answer::Nothing => (NO_LANGUAGE, 0.0),
                    Answer::Unknown { probability } => (NO_LANGUAGE, probability),
                    Answer::Language(Detection { language, probability }) => (language as i32, probability),
                };
            }
            Ok(())
        })
    }

    /// The probabilities of every language for `count` texts, into a row of `scores` each: zeros where there is no
    /// answer. `scores` has one place for each text and language.
    #[cfg_attr(not(feature = "python"), allow(dead_code))]
    pub(crate) fn probabilities_each<'t>(
        &self,
        count: usize,
        text: impl Fn(usize) -> Option<&'t str> + Sync,
        threads: Option<usize>,
        scores: &mut [f32],
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<()> {
        let ranges = self.cut(count, &text);
        let width = self.languages().len();
        let pieces = ranges.iter().cloned().zip(split(&ranges, width, scores)).collect();
        self.in_pieces(pieces, threads, interrupted, |workspace, (texts, rows), stop| {
            for (index, row) in texts.zip(rows.chunks_exact_mut(width)) {
                if stop.is_set() {
                    break;
                }
                match text(index).map_or(Ok(None), |text| self.probabilities_with(text, workspace))? {
                    Some(found) => row.copy_from_slice(found),
                    None => row.fill(0.0),
                }
            }
            Ok(())
        })
    }

    /// The logits of every language for `count` texts, into a row of `logits` each, and what [`Detector::logits_with`]
    /// says of the evidence into `evidence`: zeros where there is no answer. `logits` has one place for each text and
    /// language, `evidence` one for each text.
    #[cfg_attr(not(feature = "python"), allow(dead_code))]
    pub(crate) fn logits_each<'t>(
        &self,
        count: usize,
        text: impl Fn(usize) -> Option<&'t str> + Sync,
        threads: Option<usize>,
        logits: &mut [f32],
        evidence: &mut [i64],
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<()> {
        let ranges = self.cut(count, &text);
        let width = self.languages().len();
        let outputs = split(&ranges, width, logits).into_iter().zip(split(&ranges, 1, evidence));
        let pieces = ranges.iter().cloned().zip(outputs).collect();
        self.in_pieces(pieces, threads, interrupted, |workspace, (texts, (rows, counts)), stop| {
            for (index, (row, count)) in texts.zip(rows.chunks_exact_mut(width).zip(counts)) {
                if stop.is_set() {
                    break;
                }
                match text(index).map_or(Ok(None), |text| self.logits_with(text, workspace))? {
                    Some((logits, evidence)) => {
                        row.copy_from_slice(logits);
                        *count = evidence as i64;
                    }
                    None => {
                        row.fill(0.0);
                        *count = 0;
                    }
                }
            }
            Ok(())
        })
    }

    fn cut<'t>(&self, count: usize, text: impl Fn(usize) -> Option<&'t str>) -> Vec<Range<usize>> {
        let most = most_work(self.tokenizer(), self.metadata().max_sequence_length);
        cut((0..count).map(|index| text(index).map_or(0, |text| text.len().min(most))))
    }

    fn in_pieces<P: Send>(
        &self,
        pieces: Vec<P>,
        threads: Option<usize>,
        interrupted: &mut dyn FnMut() -> bool,
        work: impl Fn(&mut Workspace, P, &Stop) -> Result<()> + Sync,
    ) -> Result<()> {
        let lend = |use_it: &mut dyn FnMut(&mut Workspace)| self.workspaces().with(|| self.workspace(), use_it);
        in_pieces(pieces, threads, interrupted, lend, work)
    }
}

impl Tokenizer {
    /// The first `max_length` ids of each text, on `threads` threads (`None`: as many as there are cores), in order.
    ///
    /// `interrupted` is asked as in [`Detector::detect_batch_into`].
    ///
    /// # Errors
    /// `threads` is 0, [`Error::Interrupted`], or the tokenizer cannot express a text.
    pub fn encode_batch<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        max_length: usize,
        threads: Option<usize>,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<EncodedBatch> {
        let most = most_work(self, max_length);
        encode_each(texts, most, threads, interrupted, |text, scratch: &mut Scratch, ids| {
            self.encode_into(text, max_length, scratch, ids)
        })
    }
}

impl Ngrams {
    /// The row numbers of each text, on `threads` threads (`None`: as many as there are cores), in order.
    ///
    /// `interrupted` is asked as in [`Detector::detect_batch_into`].
    ///
    /// # Errors
    /// `threads` is 0, or [`Error::Interrupted`].
    pub fn rows_batch<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        threads: Option<usize>,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<EncodedBatch> {
        let most = self.spec().max_letters.saturating_mul(BYTES_PER_LETTER);
        let kernel = Kernel::chosen()?;
        encode_each(texts, most, threads, interrupted, |text, scratch: &mut ngrams::Scratch, rows| {
            self.rows_into(kernel, text, scratch, rows);
            Ok(())
        })
    }
}

/// What a label and a probability of [`Detector::detect_batch_into`] stand for.
pub(crate) fn answer(label: i32, probability: f32) -> Answer {
    match usize::try_from(label) {
        Ok(language) => Answer::Language(Detection { language, probability }),
        Err(_) if probability > 0.0 => Answer::Unknown { probability },
        Err(_) => Answer::Nothing,
    }
}

/// What `encode` appends for each text, at most `most` bytes of which cost anything.
fn encode_each<T: AsRef<str> + Sync, S: Default>(
    texts: &[T],
    most: usize,
    threads: Option<usize>,
    interrupted: &mut dyn FnMut() -> bool,
    encode: impl Fn(&str, &mut S, &mut Vec<u32>) -> Result<()> + Sync,
) -> Result<EncodedBatch> {
    let ranges = cut(texts.iter().map(|text| text.as_ref().len().min(most)));
    let mut ids = vec![Vec::new(); ranges.len()];
    // The number of ids of each text, until they are added up.
    let mut offsets = vec![0; texts.len() + 1];
    let outputs = ids.iter_mut().zip(split(&ranges, 1, &mut offsets[1..]));
    let pieces = ranges.iter().cloned().zip(outputs).collect();
    let lend = |use_it: &mut dyn FnMut(&mut S)| use_it(&mut S::default());
    in_pieces(pieces, threads, interrupted, lend, |scratch, (range, (ids, lengths)), stop| {
        for (text, length) in texts[range].iter().zip(lengths) {
            if stop.is_set() {
                break;
            }
            let before = ids.len();
            encode(text.as_ref(), scratch, ids)?;
            *length = (ids.len() - before) as i64;
        }
        Ok(())
    })?;
    let mut end = 0;
    for offset in &mut offsets {
        end += *offset;
        *offset = end;
    }
    Ok(EncodedBatch { ids: ids.concat(), offsets })
}

/// The most bytes of a text that are read before `max_length` ids are found; the library always reads all.
fn most_work(tokenizer: &Tokenizer, max_length: usize) -> usize {
    match tokenizer.fallback_reason() {
        None => max_length.saturating_mul(BYTES_PER_TOKEN),
        Some(_) => usize::MAX,
    }
}
