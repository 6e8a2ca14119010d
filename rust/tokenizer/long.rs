//! The beginning of a unit that is longer than any in ordinary text, exactly, without its end.
//!
//! A sequence of tokens is what BPE makes of its text exactly when each two neighbours are what it makes of theirs: as
//! long as no merge crosses a border between tokens, each side merges as it would alone, so the first merge that
//! crosses one, in the whole text, also happens in the text of the two tokens beside it; and the other way round.
//! (Compare the `bpe` crate's documentation, which rests on the same.) Three things follow:
//!
//! - The first tokens of a text are the encoding of the part that they cover.
//! - That part's last token is the only one before which the encoding of the rest goes on being one. So the last
//!   tokens of all beginnings of a text are found from left to right, and following them back gives the encodings.
//! - Of a text's tokens some border lies within a longest piece of any place. What the encodings of all beginnings
//!   that end there have in common is therefore how the text begins, whatever follows. The rest is encoded by itself.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::hash::FoldHasher;
use super::merge::{Merger, Scratch};
use super::pieces::Pieces;

/// The token that ends at a place: where it begins and its symbol; [`BYTES`] for a character that is no piece.
#[derive(Clone, Copy)]
struct Last {
    start: usize,
    symbol: u32,
}

/// Stands for byte pieces, which merge with nothing.
const BYTES: u32 = u32::MAX;

/// Emits the tokens that every text that begins with `window` begins with; returns how many bytes they cover.
pub(super) fn encode_beginning(
    window: &str,
    pieces: &Pieces<'_>,
    merger: &Merger<'_>,
    scratch: &mut Scratch,
    mut emit: impl FnMut(u32),
) -> usize {
    let lasts = last_tokens(window, pieces, merger, scratch);
    let end = common_border(window, &lasts, pieces.longest());
    let mut borders = Vec::new();
    let mut at = end;
    while at > 0 {
        borders.push(at);
        at = lasts[at].start;
    }
    for &at in borders.iter().rev() {
        let Last { start, symbol } = lasts[at];
        if symbol == BYTES { merger.encode(&window[start..at], scratch, &mut emit) } else { emit(merger.id(symbol)) }
    }
    end
}

/// Of each place between characters, the last token of the text before it.
fn last_tokens(window: &str, pieces: &Pieces<'_>, merger: &Merger<'_>, scratch: &mut Scratch) -> Vec<Last> {
    let mut lasts = vec![Last { start: 0, symbol: BYTES }; window.len() + 1];
    let mut neighbours: HashMap<u64, bool, BuildHasherDefault<FoldHasher>> = HashMap::default();
    let mut pair = Vec::new();
    for (start, character) in window.char_indices() {
        let end = start + character.len_utf8();
        lasts[end] = Last { start, symbol: BYTES };
        let earliest = end.saturating_sub(pieces.longest());
        for start in (earliest..=start).filter(|&start| window.is_char_boundary(start)) {
            let Some(symbol) = pieces.get(window.as_bytes(), start, end) else { continue };
            let before = lasts[start];
            let stands = start == 0 || before.symbol == BYTES || {
                *neighbours.entry(u64::from(before.symbol) << 32 | u64::from(symbol)).or_insert_with(|| {
                    pair.clear();
                    merger.encode(&window[before.start..end], scratch, |id| pair.push(id));
                    pair == [merger.id(before.symbol), merger.id(symbol)]
                })
            };
            if stands {
                lasts[end] = Last { start, symbol };
                break;
            }
        }
    }
    lasts
}

/// The last border that the encodings of all beginnings share that end within `longest` bytes of the end.
fn common_border(window: &str, lasts: &[Last], longest: usize) -> usize {
    let mut at = window.len();
    let mut marked = vec![false; at + 1];
    let earliest = at.saturating_sub(longest);
    let ends = (earliest..=at).filter(|&end| window.is_char_boundary(end));
    let mut count = ends.inspect(|&end| marked[end] = true).count();
    while count > 1 {
        if marked[at] {
            // Two that lead to one place are one from there on.
            count -= usize::from(std::mem::replace(&mut marked[lasts[at].start], true));
        }
        at -= 1;
    }
    while !marked[at] {
        at -= 1;
    }
    at
}
