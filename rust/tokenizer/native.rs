//! Gemma-style BPE (spaces to U+2581, byte fallback, added tokens) without normalizing or copying the text.
//!
//! One pass from the left: added tokens are taken out where they start, the text between them is cut into units that
//! no merge can cross, and a unit is one id if it is a piece, else the outcome of its merges. Nothing behind the unit
//! that fills the limit is looked at.

use rayon::prelude::*;

use super::added::Added;
use super::cuts::{Cuts, canonical};
use super::definition::{Definition, Merge, Refusal, SPACE_MARK};
use super::merge::{Merger, Scratch};
use super::pieces::Pieces;
use crate::error::Result;

pub(super) struct Native {
    added: Added,
    cuts: Cuts,
    pieces: Pieces,
    merger: Merger,
    vocab_size: usize,
}

impl Native {
    /// Refuses a definition that it would not encode exactly.
    pub(super) fn from_json(json: &[u8]) -> std::result::Result<Self, Refusal> {
        let definition = Definition::parse(json)?;
        let added = Added::new(&definition.added)?;
        let ranked: Vec<(u32, &Merge<'_>)> = (0..).zip(&definition.merges).collect();
        let (whole, mut live) = producible(&definition, &Merger::new(&definition, &ranked));
        live.sort_unstable();
        let ranked: Vec<_> = live.into_iter().map(|rank| ranked[rank as usize]).collect();
        let (cuts, merger) = (Cuts::new(&ranked), Merger::new(&definition, &ranked));
        let pieces = Pieces::new(&whole)?;
        Ok(Self { added, cuts, pieces, merger, vocab_size: definition.vocab_size })
    }

    pub(super) fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    pub(super) fn encode(&self, text: &str, max_length: usize) -> Result<Vec<u32>> {
        let mut ids = Vec::with_capacity(max_length.min(text.len() / 3 + 1));
        let mut scratch = Scratch::default();
        // The unit in hand is `text[start..at]`; `last` is its last character.
        let (mut start, mut at, mut last) = (0, 0, ' ');
        while let Some(first) = text[at..].chars().next()
            && ids.len() < max_length
        {
            if let Some((length, id)) = self.added.at(text, at, first) {
                self.encode_unit(&text[start..at], &mut scratch, &mut ids)?;
                ids.push(id);
                at += length;
                start = at;
                continue;
            }
            let character = canonical(first);
            if at > start && !self.cuts.may_join(last, character) {
                self.encode_unit(&text[start..at], &mut scratch, &mut ids)?;
                start = at;
            }
            at += first.len_utf8();
            last = character;
        }
        if ids.len() < max_length {
            self.encode_unit(&text[start..at], &mut scratch, &mut ids)?;
        }
        ids.truncate(max_length);
        Ok(ids)
    }

    #[inline]
    fn encode_unit(&self, unit: &str, scratch: &mut Scratch, ids: &mut Vec<u32>) -> Result<()> {
        if unit.is_empty() {
            return Ok(());
        }
        match self.pieces.get(unit.as_bytes()) {
            Some(id) => ids.push(id),
            None => self.merger.encode(unit, scratch, ids)?,
        }
        Ok(())
    }
}

/// The pieces that encode to themselves, as text spells them, with spaces; and the ranks of the merges that make them.
///
/// Not every piece is among them: merges of a lesser rank may lead elsewhere, and a piece may hold a real space, which
/// text never does once normalized. A merge that makes none of them never happens, and can be forgotten: when a piece
/// comes about inside a text, its symbols have merged among themselves alone, in the order of their ranks, as they
/// would with nothing around them. So the last of those merges is the one that makes the piece by itself.
fn producible(definition: &Definition<'_>, merger: &Merger) -> (Vec<(String, u32)>, Vec<u32>) {
    let spelt: Vec<(String, u32)> =
        definition.pieces.iter().map(|(piece, id)| (piece.replace(SPACE_MARK, " "), *id)).collect();
    let made = spelt.into_par_iter().map_init(
        || (Scratch::default(), Vec::new()),
        |(scratch, ids), (piece, id)| {
            ids.clear();
            let whole = merger.encode(&piece, scratch, ids).is_ok() && ids[..] == [id];
            let rank = (piece.chars().nth(1).is_some()).then_some(scratch.last_rank);
            whole.then_some(((piece, id), rank))
        },
    );
    let (whole, ranks): (Vec<_>, Vec<Option<u32>>) = made.flatten_iter().unzip();
    (whole, ranks.into_iter().flatten().collect())
}
