//! Text to row numbers of hashed character n-grams, in one place for the trainer and the detector.
//!
//! A text is case-folded and split into words, each word is put between two marks, and every run of `n_min` to `n_max`
//! characters of it is hashed to one of `rows` rows; so is the word as a whole. Characters are Unicode scalar values after
//! full case folding (`ß` is `ss`; `ı` and final `ς` fold as Unicode's CaseFolding.txt says); combining marks are
//! characters like others, and nothing is normalized. How much of a text is looked at is bounded by words and by letters,
//! so that a word of a megabyte costs no more than its beginning. Runs of ideographs can be hashed otherwise
//! ([`Splitting::Ideographs`]).

mod hashing;
mod letters;
mod logits;
mod projection;
mod words;

use self::hashing::MARK;
use self::letters::letter;
use self::words::{Piece, Words};
use crate::error::{Error, Result};
use crate::kernel::Kernel;

pub(crate) use hashing::{Hashing, LANES};
pub use logits::{LogitScratch, add_logits};
pub use projection::Projection;
pub use words::Splitting;

/// The most rows a table of n-grams may have; a number of 31 bits fits every index type there is.
pub const MOST_ROWS: u32 = 1 << 31;
/// What files call the way from n-grams to row numbers. It changes whenever that does.
pub const HASH: &str = "golden32";
/// The longest n-gram.
pub const LONGEST: usize = 16;

/// Which n-grams a text has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Length of the shortest n-grams, marks counted.
    pub n_min: usize,
    /// Length of the longest.
    pub n_max: usize,
    /// Whether each word as a whole has a row too.
    pub whole_words: bool,
    /// Words that are looked at, from the beginning; 0: all.
    pub max_words: usize,
    /// Characters of words that are looked at, from the beginning.
    pub max_letters: usize,
    /// Rows that n-grams are hashed to.
    pub rows: u32,
    /// Where words begin and end.
    pub splitting: Splitting,
}

/// Row numbers of the n-grams of texts.
#[derive(Clone, Debug)]
pub struct Ngrams(Spec);

/// Room to work in; keep one a thread and reuse it.
#[derive(Default)]
pub struct Scratch {
    /// The word that is read, folded, between its marks.
    units: Vec<u32>,
}

impl Ngrams {
    /// Extraction by `spec`.
    ///
    /// # Errors
    /// A number of it is out of range, or `n_min` is larger than `n_max`.
    pub fn new(spec: Spec) -> Result<Self> {
        let wrong = |key: &str, expected: String, found: usize| {
            Err(Error::InvalidArgument(format!("{key}: expected {expected}, found {found}")))
        };
        if !(1..=LONGEST).contains(&spec.n_max) {
            return wrong("n_max", format!("1 to {LONGEST}"), spec.n_max);
        }
        if !(1..=spec.n_max).contains(&spec.n_min) {
            return wrong("n_min", format!("1 to n_max ({})", spec.n_max), spec.n_min);
        }
        if spec.max_letters == 0 {
            return wrong("max_letters", "1 or more".into(), 0);
        }
        if !(1..=MOST_ROWS).contains(&spec.rows) {
            return wrong("rows", format!("1 to {MOST_ROWS}"), spec.rows as usize);
        }
        Ok(Self(spec))
    }

    /// What is extracted.
    pub fn spec(&self) -> &Spec {
        &self.0
    }

    /// Appends the row numbers of `text` to `rows`, word by word. Equal n-grams have equal numbers, each as often as it
    /// occurs. The order of a word's is always the same, on every kernel.
    pub fn rows_into(&self, kernel: Kernel, text: &str, scratch: &mut Scratch, rows: &mut Vec<u32>) {
        let mut budget = Budget::new(&self.0);
        let mut words = Words::of(text, self.0.splitting);
        while let Some(piece) = budget.next(&mut words) {
            match piece {
                Piece::Word(word) => self.word_into(kernel, word, &mut budget, scratch, rows),
                Piece::Ideographs(run) => self.ideographs_into(kernel, run, &mut budget, scratch, rows),
            }
        }
    }

    /// [`Ngrams::rows_into`] into a vector of its own.
    pub fn rows(&self, text: &str) -> Vec<u32> {
        let mut rows = Vec::new();
        self.rows_into(Kernel::chosen_or_best(), text, &mut Scratch::default(), &mut rows);
        rows
    }

    /// Appends the rows of `word`, as far as `budget` goes, and takes its letters off it.
    #[inline]
    fn word_into(&self, kernel: Kernel, word: &str, budget: &mut Budget, scratch: &mut Scratch, rows: &mut Vec<u32>) {
        let hashing = Hashing { n_min: self.0.n_min, n_max: self.0.n_max, rows: self.0.rows };
        let units = &mut scratch.units;
        units.clear();
        units.push(MARK);
        let whole = fold(word, budget.letters, units);
        budget.letters -= units.len() - 1;
        if whole {
            if self.0.whole_words {
                rows.push(hashing.word(&units[1..]));
            }
            units.push(MARK);
        }
        hash_into(kernel, hashing, units, rows);
    }

    /// Appends the rows of the ideographs of `run` and of pairs of adjacent ones, as far as `budget` goes, and takes
    /// the ideographs off it.
    #[inline(never)]
    fn ideographs_into(
        &self,
        kernel: Kernel,
        run: &str,
        budget: &mut Budget,
        scratch: &mut Scratch,
        rows: &mut Vec<u32>,
    ) {
        let units = &mut scratch.units;
        units.clear();
        // They fold to themselves.
        units.extend(run.chars().take(budget.letters).map(u32::from));
        budget.letters -= units.len();
        hash_into(kernel, Hashing { n_min: 1, n_max: 2, rows: self.0.rows }, units, rows);
    }
}

/// Appends the rows of the n-grams of `units`; what these are afterwards means nothing.
#[inline(always)]
fn hash_into(kernel: Kernel, hashing: Hashing, units: &mut Vec<u32>, rows: &mut Vec<u32>) {
    let (length, before) = (units.len(), rows.len());
    units.resize(length + LANES, MARK);
    rows.resize(before + hashing.room(length), 0);
    let found = kernel.hash_ngrams(hashing, units, length, &mut rows[before..]);
    rows.truncate(before + found);
}

/// Appends the letters that `word` folds to, at most `most` of them. True if these are all.
fn fold(word: &str, most: usize, letters: &mut Vec<u32>) -> bool {
    if word.is_ascii() && word.len() <= most {
        letters.extend(word.bytes().map(|byte| u32::from(byte.to_ascii_lowercase())));
        return true;
    }
    let end = letters.len().saturating_add(most);
    for c in word.chars() {
        let found = letter(c);
        if let Some(letter) = found.folded() {
            if letters.len() == end {
                return false;
            }
            letters.push(letter);
            continue;
        }
        for letter in found.several(c) {
            if letters.len() == end {
                return false;
            }
            letters.push(letter);
        }
    }
    true
}

/// What may still be looked at.
struct Budget {
    words: usize,
    letters: usize,
}

impl Budget {
    fn new(spec: &Spec) -> Self {
        let words = if spec.max_words > 0 { spec.max_words } else { usize::MAX };
        Self { words, letters: spec.max_letters }
    }

    /// The next piece of `words`, if there is room for it.
    #[inline]
    fn next<'t>(&mut self, words: &mut Words<'t>) -> Option<Piece<'t>> {
        if self.letters == 0 {
            return None;
        }
        if !words.within() {
            if self.words == 0 {
                return None;
            }
            self.words -= 1;
        }
        words.next(self.letters)
    }
}
