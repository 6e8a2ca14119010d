//! Added tokens: strings that become one id wherever they stand in the raw text, before it is normalized.
//!
//! The library finds them leftmost first and, of those that start at one place, longest first, on the whole text.
//! Going through the text from the left and asking at each place for the longest match that starts there, resuming
//! behind it, is the same thing, and needs no more of the text than has been encoded.

use aho_corasick::{AhoCorasick, Anchored, Input, MatchKind, StartKind};

use super::definition::{Refusal, Text};

pub(super) struct Added {
    automaton: AhoCorasick,
    ids: Vec<u32>,
    /// Bit `c % 4096` is set for the first character `c` of each token: almost no place in a text needs a search.
    starts: [u64; 64],
}

impl Added {
    /// `tokens` are distinct and none is empty.
    pub(super) fn new(tokens: &[(Text<'_>, u32)]) -> Result<Self, Refusal> {
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .start_kind(StartKind::Anchored)
            .build(tokens.iter().map(|(content, _)| content.as_bytes()))
            .map_err(|error| format!("added_tokens: {error}"))?;
        let mut starts = [0; 64];
        for first in tokens.iter().filter_map(|(content, _)| content.chars().next()) {
            let (word, bit) = place(first);
            starts[word] |= bit;
        }
        Ok(Self { automaton, ids: tokens.iter().map(|(_, id)| *id).collect(), starts })
    }

    /// Length in bytes and id of the longest token at byte `at` of `text`, where the character `first` stands.
    #[inline]
    pub(super) fn at(&self, text: &str, at: usize, first: char) -> Option<(usize, u32)> {
        let (word, bit) = place(first);
        if self.starts[word] & bit == 0 { None } else { self.search(text, at) }
    }

    #[inline(never)]
    fn search(&self, text: &str, at: usize) -> Option<(usize, u32)> {
        let input = Input::new(text).span(at..text.len()).anchored(Anchored::Yes);
        self.automaton.find(input).map(|found| (found.len(), self.ids[found.pattern().as_usize()]))
    }
}

#[inline]
fn place(first: char) -> (usize, u64) {
    let low = first as usize % 4096;
    (low / 64, 1 << (low % 64))
}
