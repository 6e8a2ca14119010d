//! Text to row numbers of hashed character n-grams, in one place for the trainer and the detector.
//!
//! A text is case-folded and split into words, each word is put between two marks, and every run of `n_min` to `n_max`
//! characters of it is hashed to one of `rows` rows; so is the word as a whole. Characters are Unicode scalar values after
//! full case folding (`ß` is `ss`; `ı` and final `ς` fold as Unicode's CaseFolding.txt says); combining marks are
//! characters like others, and nothing is normalized. How much of a text is looked at is bounded by words and by letters,
//! so that a word of a megabyte costs no more than its beginning.

mod letters;
mod logits;
mod projection;

use unicode_segmentation::UnicodeSegmentation;

use self::letters::{Kind, letter};
use crate::error::{Error, Result};

pub use logits::{LogitScratch, add_logits};
pub use projection::Projection;

/// The most rows a table of n-grams may have; a number of 31 bits fits every index type there is.
pub const MOST_ROWS: u32 = 1 << 31;
/// The longest n-gram.
pub const LONGEST: usize = 16;

/// Stands before and after every word. No text has it: it is no scalar value.
const MARK: u32 = 0x11_0000;
/// FNV-1a over 32-bit units instead of bytes (Fowler, Noll, Vo), from one of two starts.
const PRIME: u64 = 0x0000_0100_0000_01B3;
const NGRAM: u64 = 0xCBF2_9CE4_8422_2325;
const WORD: u64 = 0x84222325_CBF29CE4;

/// Where words begin and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Splitting {
    /// At white space.
    Spaces,
    /// Words are runs of letters and marks. Joiners, and apostrophes between letters, belong to the word; digits,
    /// punctuation and symbols do not, and are left out.
    Letters,
    /// At Unicode's word boundaries (UAX #29); what has no letter or digit is left out.
    Boundaries,
}

impl Splitting {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Spaces, Self::Letters, Self::Boundaries];

    /// What configurations and files call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spaces => "spaces",
            Self::Letters => "letters",
            Self::Boundaries => "boundaries",
        }
    }

    /// The one of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::InvalidArgument(format!("splitting: expected one of {names}, found {name:?}"))
        })
    }
}

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
    /// The word that is read, between its marks.
    word: Vec<u32>,
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

    /// Appends the row numbers of `text` to `rows`: word by word, first that of the word, then those of the n-grams by
    /// where they begin, the shorter ones first. Equal n-grams have equal numbers, each as often as it occurs.
    pub fn rows_into(&self, text: &str, scratch: &mut Scratch, rows: &mut Vec<u32>) {
        let mut left = Budget { words: self.0.max_words, letters: self.0.max_letters, bounded: self.0.max_words > 0 };
        let word = &mut scratch.word;
        match self.0.splitting {
            Splitting::Spaces => self.spaces(text, &mut left, word, rows),
            Splitting::Letters => self.letters(text, &mut left, word, rows),
            Splitting::Boundaries => {
                for part in text.unicode_words() {
                    if !self.whole(part.chars(), &mut left, word, rows) {
                        return;
                    }
                }
            }
        }
    }

    /// [`Ngrams::rows_into`] into a vector of its own.
    pub fn rows(&self, text: &str) -> Vec<u32> {
        let mut rows = Vec::new();
        self.rows_into(text, &mut Scratch::default(), &mut rows);
        rows
    }

    fn spaces(&self, text: &str, left: &mut Budget, word: &mut Vec<u32>, rows: &mut Vec<u32>) {
        let mut chars = text.chars();
        while let Some(first) = chars.find(|c| !c.is_whitespace()) {
            // Not split by the standard library, which looks for the end of a word however far it is.
            let rest = chars.by_ref().take_while(|c| !c.is_whitespace());
            if !self.whole(std::iter::once(first).chain(rest), left, word, rows) {
                return;
            }
        }
    }

    /// The rows of a word of `chars`; false when the rest of the text is not looked at.
    fn whole(
        &self,
        chars: impl Iterator<Item = char>,
        left: &mut Budget,
        word: &mut Vec<u32>,
        rows: &mut Vec<u32>,
    ) -> bool {
        if !left.word() {
            return false;
        }
        word.clear();
        word.push(MARK);
        for c in chars {
            if !push(c, left, word) {
                self.emit(word, false, rows);
                return false;
            }
        }
        self.emit(word, true, rows);
        left.letters > 0
    }

    fn letters(&self, text: &str, left: &mut Budget, word: &mut Vec<u32>, rows: &mut Vec<u32>) {
        let mut chars = text.chars();
        while let Some(first) = chars.find(|&c| letter(c).kind == Kind::Letter) {
            if !left.word() {
                return;
            }
            word.clear();
            word.push(MARK);
            // Joiners count only if a letter follows.
            let (mut next, mut joiner) = (Some(first), None);
            while let Some(c) = next {
                match letter(c).kind {
                    Kind::Letter => {
                        if joiner.take().is_some_and(|joiner| !push(joiner, left, word)) || !push(c, left, word) {
                            self.emit(word, false, rows);
                            return;
                        }
                    }
                    Kind::Joiner if joiner.is_none() => joiner = Some(c),
                    Kind::Joiner | Kind::Other => break,
                }
                next = chars.next();
            }
            self.emit(word, true, rows);
            if left.letters == 0 {
                return;
            }
        }
    }

    /// The rows of `word`, which begins with a mark; `whole`: and ends where the word does.
    fn emit(&self, word: &mut Vec<u32>, whole: bool, rows: &mut Vec<u32>) {
        if whole && self.0.whole_words {
            rows.push(self.row(word[1..].iter().fold(WORD, |state, &c| step(state, c))));
        }
        if whole {
            word.push(MARK);
        }
        for start in 0..word.len() {
            let mut state = NGRAM;
            for (before, &c) in word[start..].iter().take(self.0.n_max).enumerate() {
                state = step(state, c);
                // A mark alone says nothing.
                if before + 1 >= self.0.n_min && (before > 0 || c != MARK) {
                    rows.push(self.row(state));
                }
            }
        }
    }

    /// The row of a hash: its bits mixed (the finalizer of MurmurHash3), then scaled to the number of rows.
    fn row(&self, state: u64) -> u32 {
        let mut mixed = (state ^ (state >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
        mixed ^= mixed >> 33;
        (((mixed >> 32) * u64::from(self.0.rows)) >> 32) as u32
    }
}

/// What may still be looked at.
struct Budget {
    words: usize,
    letters: usize,
    bounded: bool,
}

impl Budget {
    /// Whether there is room for another word.
    fn word(&mut self) -> bool {
        if self.bounded {
            if self.words == 0 {
                return false;
            }
            self.words -= 1;
        }
        true
    }
}

/// Appends `c` folded; false when not all of it may be looked at any more.
fn push(c: char, left: &mut Budget, word: &mut Vec<u32>) -> bool {
    let found = letter(c);
    for folded in found.folded(c) {
        if left.letters == 0 {
            return false;
        }
        left.letters -= 1;
        word.push(folded);
    }
    true
}

fn step(state: u64, c: u32) -> u64 {
    (state ^ u64::from(c)).wrapping_mul(PRIME)
}
