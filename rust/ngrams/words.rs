//! Where words begin and end.

use unicode_segmentation::{UnicodeSegmentation, UnicodeWords};

use super::letters::{Kind, letter};
use crate::error::{Error, Result};

/// Bytes that the longest character has.
const LONGEST_CHARACTER: usize = 4;

/// What parts words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Splitting {
    /// White space.
    Spaces,
    /// Words are runs of letters and marks. Joiners, and apostrophes between letters, belong to the word; digits,
    /// punctuation and symbols do not, and are left out.
    Letters,
    /// Unicode's word boundaries (UAX #29); what has no letter or digit is left out.
    Boundaries,
    /// As [`Splitting::Letters`], but runs of ideographs within a word are parted from its other letters, as if white
    /// space stood between. A run gives its ideographs and pairs of adjacent ones, without marks, and nothing else.
    Ideographs,
}

impl Splitting {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Spaces, Self::Letters, Self::Boundaries, Self::Ideographs];

    /// What configurations and files call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spaces => "spaces",
            Self::Letters => "letters",
            Self::Boundaries => "boundaries",
            Self::Ideographs => "ideographs",
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

/// What is hashed on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// A word, or what ideographs leave of one.
    Word(&'t str),
    /// A run of ideographs.
    Ideographs(&'t str),
}

/// The words of a text, from the first to the last, as they stand there.
pub(super) enum Words<'t> {
    /// What is left of the text.
    Spaces(&'t str),
    Letters(&'t str),
    Boundaries(UnicodeWords<'t>),
    Ideographs {
        rest: &'t str,
        /// Whether a word goes on there, of which a piece was read.
        within: bool,
    },
}

impl<'t> Words<'t> {
    pub(super) fn of(text: &'t str, splitting: Splitting) -> Self {
        match splitting {
            Splitting::Spaces => Self::Spaces(text),
            Splitting::Letters => Self::Letters(text),
            Splitting::Boundaries => Self::Boundaries(text.unicode_words()),
            Splitting::Ideographs => Self::Ideographs { rest: text, within: false },
        }
    }

    /// Whether the next piece is of the same word as the last.
    #[inline]
    pub(super) fn within(&self) -> bool {
        matches!(self, Self::Ideographs { within: true, .. })
    }

    /// The next piece; if it is longer than `most` characters, then no more of it than is seen by that.
    #[inline]
    pub(super) fn next(&mut self, most: usize) -> Option<Piece<'t>> {
        let (rest, length) = match self {
            Self::Boundaries(words) => return words.next().map(Piece::Word),
            Self::Ideographs { rest, within } => {
                *rest = rest.trim_start_matches(|c| !letter(c).kind.is_letter());
                let (mut length, mut goes_on) = length_to_ideograph(rest, most);
                let ideographs = length == 0;
                if ideographs {
                    (length, goes_on) = length_of_ideographs(rest, most);
                }
                let (piece, after) = rest.split_at(length);
                (*rest, *within) = (after, goes_on);
                let piece = if ideographs { Piece::Ideographs(piece) } else { Piece::Word(piece) };
                return (length > 0).then_some(piece);
            }
            Self::Spaces(rest) => {
                *rest = rest.trim_start();
                let length = length_to_space(rest, most);
                (rest, length)
            }
            Self::Letters(rest) => {
                *rest = rest.trim_start_matches(|c| !letter(c).kind.is_letter());
                let length = length_of_letters(rest, most);
                (rest, length)
            }
        };
        let (word, after) = rest.split_at(length);
        *rest = after;
        (!word.is_empty()).then_some(Piece::Word(word))
    }
}

/// Bytes before the first white space of `text`, or a few more than `most` characters have.
#[inline]
fn length_to_space(text: &str, most: usize) -> usize {
    /// Bytes that white space begins with: those of ASCII, and those of U+0085 and U+00A0, U+1680, U+2000 and others up
    /// to U+205F, and U+3000. None of them is within a character.
    const BEGINS: [bool; 256] = {
        let mut begins = [false; 256];
        let bytes = [0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x20, 0xC2, 0xE1, 0xE2, 0xE3];
        let mut at = 0;
        while at < bytes.len() {
            begins[bytes[at]] = true;
            at += 1;
        }
        begins
    };
    let bytes = text.as_bytes();
    let limit = most.saturating_add(1).saturating_mul(LONGEST_CHARACTER);
    let mut at = 0;
    while at < bytes.len() {
        if BEGINS[bytes[at] as usize] && text[at..].starts_with(char::is_whitespace) {
            break;
        }
        // Each of so many bytes' characters is whole: the next one begins here.
        if at >= limit && text.is_char_boundary(at) {
            break;
        }
        at += 1;
    }
    at
}

/// Bytes of the letters that `text` begins with, and of joiners between them; of a few more than `most` at the most.
fn length_of_letters(text: &str, most: usize) -> usize {
    let (mut end, mut joined) = (0, false);
    // One character more than fit, and if that is a joiner, the letter behind it.
    for (at, c) in text.char_indices().take(most.saturating_add(2)) {
        match letter(c).kind {
            Kind::Letter | Kind::Ideograph => (end, joined) = (at + c.len_utf8(), false),
            // It counts if a letter follows.
            Kind::Joiner if !joined => joined = true,
            Kind::Joiner | Kind::Other => break,
        }
    }
    end
}

/// As [`length_of_letters`], but of letters before the first ideograph; and whether one follows, or is joined.
fn length_to_ideograph(text: &str, most: usize) -> (usize, bool) {
    let (mut end, mut joined) = (0, false);
    for (at, c) in text.char_indices().take(most.saturating_add(2)) {
        match letter(c).kind {
            Kind::Letter => (end, joined) = (at + c.len_utf8(), false),
            Kind::Ideograph => return (end, true),
            Kind::Joiner if !joined => joined = true,
            Kind::Joiner | Kind::Other => break,
        }
    }
    (end, false)
}

/// Bytes of the ideographs that `text` begins with, of a few more than `most` at the most; and whether a letter follows,
/// or is joined, that is not one of this run.
fn length_of_ideographs(text: &str, most: usize) -> (usize, bool) {
    let (mut end, mut joined) = (0, false);
    for (at, c) in text.char_indices().take(most.saturating_add(2)) {
        match letter(c).kind {
            Kind::Ideograph if !joined => end = at + c.len_utf8(),
            Kind::Letter | Kind::Ideograph => return (end, true),
            Kind::Joiner if !joined => joined = true,
            Kind::Joiner | Kind::Other => break,
        }
    }
    (end, false)
}
