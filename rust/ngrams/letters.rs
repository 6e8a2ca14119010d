//! What a character is to words, and what case folding makes of it, looked up in tables that are filled when needed.

use std::ops::RangeInclusive;
use std::sync::OnceLock;

use caseless::Caseless;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// What a character is to a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A letter, or a mark that belongs to one; no ideograph.
    Letter,
    /// A letter that stands for a word or a part of one. None of them folds to another character.
    Ideograph,
    /// Part of a word if it stands between letters: joiners and apostrophes.
    Joiner,
    /// Anything else: white space, digits, punctuation, symbols.
    Other,
}

impl Kind {
    /// Whether it is a letter of any sort.
    #[inline]
    pub(super) fn is_letter(self) -> bool {
        matches!(self, Self::Letter | Self::Ideograph)
    }
}

/// A character's kind, and what it folds to.
#[derive(Clone, Copy)]
pub(super) struct Letter {
    pub(super) kind: Kind,
    /// The scalar value it folds to; [`SEVERAL`] if these are more than one.
    folded: u32,
}

const SEVERAL: u32 = u32::MAX;
const PAGE: usize = 256;
const PAGES: usize = 0x11_0000 / PAGE;

/// Where ideographs are: all letters there are, and those that Unicode may yet put there.
const IDEOGRAPHS: [RangeInclusive<u32>; 7] = [
    // The iteration mark, which repeats one, and the closing mark. U+3007 is a number.
    0x3005..=0x3006,
    0x3400..=0x4DBF,
    0x4E00..=0x9FFF,
    // Compatibility ideographs.
    0xF900..=0xFAFF,
    // Tangut and its components, Khitan small script.
    0x1_7000..=0x1_8DFF,
    // Nushu.
    0x1_B170..=0x1_B2FF,
    // The two planes of ideographs.
    0x2_0000..=0x3_FFFF,
];

type Page = [Letter; PAGE];
// A page at a time: a text uses few of them, and filling all would take longer than loading a model does.
static TABLE: [OnceLock<Box<Page>>; PAGES] = [const { OnceLock::new() }; PAGES];

/// Looks `c` up.
pub(super) fn letter(c: char) -> Letter {
    let code = c as usize;
    TABLE[code / PAGE].get_or_init(|| fill(code / PAGE))[code % PAGE]
}

impl Letter {
    /// The scalar value that it folds to, if that is one.
    #[inline]
    pub(super) fn folded(self) -> Option<u32> {
        (self.folded != SEVERAL).then_some(self.folded)
    }

    /// The scalar values that `c`, which this letter was looked up for, folds to: up to three.
    #[cold]
    pub(super) fn several(self, c: char) -> impl Iterator<Item = u32> {
        fold(c)
    }
}

fn fill(page: usize) -> Box<Page> {
    let letters: Vec<Letter> = (page * PAGE..(page + 1) * PAGE).map(|code| describe(code as u32)).collect();
    letters.try_into().ok().expect("a page has as many letters as it has")
}

fn describe(code: u32) -> Letter {
    // Surrogates are no characters; nothing looks them up.
    let Some(c) = char::from_u32(code) else { return Letter { kind: Kind::Other, folded: code } };
    let kind = match c {
        '\'' | '\u{2019}' | '\u{200C}' | '\u{200D}' => Kind::Joiner,
        _ => match c.general_category_group() {
            GeneralCategoryGroup::Letter if IDEOGRAPHS.iter().any(|range| range.contains(&code)) => Kind::Ideograph,
            GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark => Kind::Letter,
            _ => Kind::Other,
        },
    };
    // One apostrophe for both, as keyboards have it.
    let mut folded = fold(if c == '\u{2019}' { '\'' } else { c });
    let first = folded.next().unwrap_or(code);
    Letter { kind, folded: if folded.next().is_some() { SEVERAL } else { first } }
}

fn fold(c: char) -> impl Iterator<Item = u32> {
    std::iter::once(c).default_case_fold().map(u32::from)
}
