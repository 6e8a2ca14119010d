//! Gemma-style BPE (spaces to U+2581, byte fallback, added tokens) without normalizing or copying the text.
//!
//! From the left, some units at a time: the text is cut where no merge can join the characters on both sides and
//! around added tokens; a unit is one id if it is a piece, else the outcome of its merges. Nothing behind the units
//! that fill the limit is looked at.

use super::added::Added;
use super::cuts::{Cuts, canonical};
use super::format::{Reader, Refusal};
use super::lanes::{LANES, LaneIds, Lanes};
use super::long::encode_beginning;
use super::memo::{Memo, emit_ids};
use super::merge::{self, Merger, NO_SYMBOL};
use super::pieces::{Key, Pieces, SHORT, hash_key, key};

/// Units that are cut before any is looked up, so that the tables' cache lines arrive meanwhile.
const AHEAD: usize = LANES;
/// Bytes of a unit that are looked at together. No ordinary unit has as many.
const LONG: usize = 4096;

/// The tables of a compiled tokenizer.
pub(super) struct Native<'a> {
    added: Added<'a>,
    cuts: Cuts<'a>,
    pieces: Pieces<'a>,
    merger: Merger<'a>,
    /// Whether a byte is an ASCII character that begins no added token.
    plain: [bool; 256],
    vocab_size: usize,
    /// Another for other tables.
    checksum: u64,
}

/// Room to work in, kept between texts.
pub(super) struct Scratch {
    units: [Unit; AHEAD],
    lanes: Lanes,
    memo: Memo,
    merging: merge::Scratch,
}

impl Default for Scratch {
    fn default() -> Self {
        let empty = Unit { key: [0; 2], hash: 0, line: 0, found: Found::Long };
        Self { units: [empty; AHEAD], lanes: Lanes::default(), memo: Memo::default(), merging: Default::default() }
    }
}

/// What is known of a unit before it is emitted.
#[derive(Clone, Copy)]
struct Unit {
    key: Key,
    hash: u64,
    /// Where a piece of this key would be.
    line: usize,
    found: Found,
}

#[derive(Clone, Copy)]
enum Found {
    Piece(u32),
    Kept([u32; 4]),
    Lane(usize),
    /// Too many symbols for a lane.
    Long,
}

/// What comes next in a text.
struct Ahead {
    /// Ends of the next units.
    ends: [usize; AHEAD],
    units: usize,
    /// Length and id of an added token behind them.
    token: Option<(usize, u32)>,
}

impl<'a> Native<'a> {
    /// The tables of a file in memory; checked as far as no text can make a search run outside or forever.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let reader = Reader::new(bytes)?;
        let added = Added::read(&reader)?;
        Ok(Self {
            plain: std::array::from_fn(|byte| byte < 128 && !added.may_start(byte as u32)),
            added,
            cuts: Cuts::read(&reader)?,
            pieces: Pieces::read(&reader)?,
            merger: Merger::read(&reader)?,
            vocab_size: reader.vocab_size(),
            checksum: reader.checksum(),
        })
    }

    pub(super) fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Puts the first `limit` ids of `text` behind those in `ids`.
    pub(super) fn encode(&self, text: &str, limit: usize, scratch: &mut Scratch, ids: &mut Vec<u32>) {
        scratch.memo.serve(self.checksum);
        let full = ids.len().saturating_add(limit);
        let mut start = 0;
        let mut longest = LONG;
        while start < text.len() && ids.len() < full {
            let ahead = self.look_ahead(text.as_bytes(), start, longest);
            let mut emit = |id: u32| ids.push(id);
            if ahead.units == 0 && ahead.token.is_none() {
                let end = (start + longest..).find(|&end| text.is_char_boundary(end)).expect("text goes on");
                let window = &text[start..end];
                let length = encode_beginning(window, &self.pieces, &self.merger, &mut scratch.merging, emit);
                // A window without a certain border is too short.
                longest = if length == 0 { longest * 2 } else { LONG };
                start += length;
                continue;
            }
            longest = LONG;
            self.encode_units(text, start, &ahead.ends[..ahead.units], scratch, &mut emit);
            start = ahead.ends[..ahead.units].last().copied().unwrap_or(start);
            if let Some((length, id)) = ahead.token {
                emit(id);
                start += length;
            }
        }
        ids.truncate(full);
    }

    /// Finds the units from `start` on. Finds none, and no token, when one is longer than `longest`.
    #[inline(never)]
    fn look_ahead(&self, text: &[u8], start: usize, longest: usize) -> Ahead {
        let mut ahead = Ahead { ends: [0; AHEAD], units: 0, token: None };
        let (first, length) = decode(text, start);
        if self.added.may_start(first) {
            ahead.token = self.added.longest(&text[start..]);
            if ahead.token.is_some() {
                return ahead;
            }
        }
        let mut at = start + length;
        let mut last = canonical(first);
        // Only a unit under way can be longer: this much text holds the others whole.
        let stop = text.len().min(start + longest);
        while at < stop && ahead.units < AHEAD {
            if last < 128 && self.plain[usize::from(text[at])] {
                // Each character ends one unit at most.
                let run = &text[at..stop.min(at + AHEAD - ahead.units)];
                for &byte in run {
                    if !self.plain[usize::from(byte)] {
                        break;
                    }
                    // Without a branch: where words end cannot be foreseen.
                    ahead.ends[ahead.units % AHEAD] = at;
                    ahead.units += usize::from(!self.cuts.may_join_ascii(last as u8, byte));
                    at += 1;
                    last = u32::from(byte);
                }
                continue;
            }
            let (character, length) = decode(text, at);
            let next = canonical(character);
            if self.added.may_start(character) {
                ahead.token = self.added.longest(&text[at..]);
                if ahead.token.is_some() {
                    ahead.ends[ahead.units] = at;
                    ahead.units += 1;
                    return ahead;
                }
            }
            ahead.ends[ahead.units] = at;
            ahead.units += usize::from(!self.cuts.may_join(last, next));
            at += length;
            last = next;
        }
        if ahead.units == AHEAD {
            return ahead;
        }
        if at >= text.len() {
            ahead.ends[ahead.units] = text.len();
            ahead.units += 1;
        }
        ahead
    }

    #[inline(never)]
    fn encode_units(
        &self,
        text: &str,
        start: usize,
        ends: &[usize],
        scratch: &mut Scratch,
        emit: &mut impl FnMut(u32),
    ) {
        let bytes = text.as_bytes();
        let Scratch { units, lanes, memo, merging } = scratch;
        let units = &mut units[..ends.len()];
        let mut from = start;
        for (&end, unit) in ends.iter().zip(&mut *units) {
            if end - from <= SHORT {
                unit.key = key(bytes, from, end - from);
                unit.hash = hash_key(unit.key);
                unit.line = self.pieces.find(unit.hash);
                memo.prefetch(unit.hash);
            }
            from = end;
        }
        lanes.clear();
        let mut from = start;
        for (&end, unit) in ends.iter().zip(&mut *units) {
            let short = end - from <= SHORT;
            let symbol = if short {
                self.pieces.get_short(unit.key, unit.line)
            } else {
                self.pieces.get_long(&bytes[from..end]).unwrap_or(NO_SYMBOL)
            };
            unit.found = if symbol != NO_SYMBOL {
                Found::Piece(symbol)
            } else if short && let Some(ids) = memo.get(unit.key, unit.hash) {
                Found::Kept(ids)
            } else {
                lanes.push(&self.merger, &text[from..end]).map_or(Found::Long, Found::Lane)
            };
            from = end;
        }
        lanes.merge(&self.merger);
        let mut from = start;
        for (&end, unit) in ends.iter().zip(&*units) {
            match unit.found {
                Found::Piece(symbol) => emit(self.merger.id(symbol)),
                Found::Kept(ids) => emit_ids(ids, &mut *emit),
                Found::Lane(number) => {
                    let mut ids = LaneIds::default();
                    let length = lanes.ids(number, &self.merger, &mut ids);
                    ids[..length].iter().for_each(|&id| emit(id));
                    if end - from <= SHORT {
                        memo.put(unit.key, unit.hash, &ids[..length]);
                    }
                }
                Found::Long => self.merger.encode(&text[from..end], merging, &mut *emit),
            }
            from = end;
        }
    }
}

/// The character at byte `at` of UTF-8 text, and its length.
#[inline(always)]
fn decode(text: &[u8], at: usize) -> (u32, usize) {
    let first = u32::from(text[at]);
    if first < 0x80 {
        return (first, 1);
    }
    let low = |offset: usize| u32::from(text[at + offset]) & 0x3F;
    match first {
        ..0xE0 => ((first & 0x1F) << 6 | low(1), 2),
        0xE0..0xF0 => ((first & 0x0F) << 12 | low(1) << 6 | low(2), 3),
        _ => ((first & 0x07) << 18 | low(1) << 12 | low(2) << 6 | low(3), 4),
    }
}
