//! Pieces by their bytes: one cache line a probe.

use super::format::{Reader, Refusal, Section, Writer};
use super::hash::{hash_bytes, mix};
use super::merge::NO_SYMBOL;
use super::perfect::{Places, Plan};
use crate::kernel::prefetch;

/// Text of up to this many bytes is its own key.
pub(super) const SHORT: usize = 15;

/// The bytes of a short text, zeros behind them, and in the last byte their number. No text has the key of zeros.
pub(super) type Key = [u64; 2];

/// A cache line: three keys (two words each, zero where there is none), then three symbols of 32 bits.
type Bucket = [u64; 8];
const KEYS: usize = 3;

/// A longer piece: hash bits that did not choose the slot, where its text begins, its length (zero in an empty slot),
/// its symbol.
type Slot = [u32; 4];

/// Strings that are one symbol as a whole.
pub(super) struct Pieces<'a> {
    buckets: &'a [Bucket],
    places: Places<'a>,
    /// A power of two of slots, never all taken.
    slots: &'a [Slot],
    text: &'a [u8],
    /// Bytes of the longest piece.
    longest: usize,
}

impl<'a> Pieces<'a> {
    /// `pieces` are distinct; empty ones are left out.
    pub(super) fn write(pieces: &[(String, u32)], writer: &mut Writer) -> Result<(), Refusal> {
        let (short, long): (Vec<_>, Vec<_>) =
            pieces.iter().filter(|(piece, _)| !piece.is_empty()).partition(|(piece, _)| piece.len() <= SHORT);
        let keys: Vec<Key> = short.iter().map(|(piece, _)| key(piece.as_bytes(), 0, piece.len())).collect();
        let hashes: Vec<u64> = keys.iter().map(|&key| hash_key(key)).collect();
        let mut distinct = hashes.clone();
        distinct.sort_unstable();
        if distinct.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("model.vocab: two pieces share a hash".to_owned());
        }
        let plan = Plan::new(&hashes, short.len() * 2 / 5 + 1, KEYS as u8);
        let mut buckets: Vec<Bucket> = vec![[0; 8]; plan.lines];
        for ((key, &line), (_, symbol)) in keys.iter().zip(&plan.line_of).zip(&short) {
            let bucket = &mut buckets[line];
            let place = (0..KEYS).find(|&place| bucket[2 * place + 1] == 0).expect("room, as planned");
            bucket[2 * place..2 * place + 2].copy_from_slice(key);
            bucket[6 + place / 2] |= u64::from(*symbol) << (place % 2 * 32);
        }
        let mut slots: Vec<Slot> = vec![[0; 4]; (long.len() * 2).next_power_of_two().max(2)];
        let mut text: Vec<u8> = Vec::new();
        for (piece, symbol) in long {
            let (mut at, tag) = slot(piece.as_bytes(), slots.len());
            while slots[at][2] != 0 {
                at = (at + 1) & (slots.len() - 1);
            }
            let start = u32::try_from(text.len()).map_err(|_| "model.vocab: 4 GiB of text".to_owned())?;
            let length = u32::try_from(piece.len()).map_err(|_| "model.vocab: 4 GiB of text".to_owned())?;
            slots[at] = [tag, start, length, *symbol];
            text.extend_from_slice(piece.as_bytes());
        }
        writer.section(Section::ShortPieces, &buckets);
        writer.section(Section::ShortPiecePlaces, &plan.displacements);
        writer.section(Section::LongPieces, &slots);
        writer.section(Section::LongPieceText, &text);
        Ok(())
    }

    pub(super) fn read(reader: &Reader<'a>) -> Result<Self, Refusal> {
        let buckets: &[Bucket] = reader.section(Section::ShortPieces)?;
        let slots: &[Slot] = reader.section(Section::LongPieces)?;
        let text = reader.section(Section::LongPieceText)?;
        let places = Places::read(reader.section(Section::ShortPiecePlaces)?).filter(|_| !buckets.is_empty());
        let places = places.ok_or("pieces: wrong size")?;
        if !slots.len().is_power_of_two() || !slots.iter().any(|slot| slot[2] == 0) {
            return Err("pieces: size is no power of two, or no slot is empty".to_owned());
        }
        let inside = |slot: &Slot| slot[1] as usize + slot[2] as usize <= text.len();
        if !slots.iter().all(inside) {
            return Err("pieces: a slot leads outside".to_owned());
        }
        let longest = slots.iter().map(|slot| slot[2] as usize).max().unwrap_or(0).max(SHORT);
        Ok(Self { buckets, places, slots, text, longest })
    }

    /// No piece has more bytes.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Where the key with this hash is, if it is there at all; asks for the cache line ahead of its use.
    #[inline(always)]
    pub(super) fn find(&self, hash: u64) -> usize {
        let line = self.places.line(hash, self.buckets.len());
        prefetch::entry(self.buckets, line);
        line
    }

    /// The symbol of a short text, given its key and what [`Self::find`] says of it; [`NO_SYMBOL`] if it has none.
    #[inline(always)]
    pub(super) fn get_short(&self, key: Key, line: usize) -> u32 {
        let bucket = &self.buckets[line];
        let mut symbol = NO_SYMBOL;
        for place in 0..KEYS {
            let same = (bucket[2 * place] ^ key[0]) | (bucket[2 * place + 1] ^ key[1]) == 0;
            let here = (bucket[6 + place / 2] >> (place % 2 * 32)) as u32;
            symbol = std::hint::select_unpredictable(same, here, symbol);
        }
        symbol
    }

    /// The symbol of `text[start..end]`.
    #[inline]
    pub(super) fn get(&self, text: &[u8], start: usize, end: usize) -> Option<u32> {
        if end - start <= SHORT {
            let key = key(text, start, end - start);
            Some(self.get_short(key, self.find(hash_key(key)))).filter(|symbol| *symbol != NO_SYMBOL)
        } else {
            self.get_long(&text[start..end])
        }
    }

    /// The symbol of a text of more than [`SHORT`] bytes.
    #[inline(never)]
    pub(super) fn get_long(&self, piece: &[u8]) -> Option<u32> {
        if piece.len() > self.longest {
            return None;
        }
        let (mut at, tag) = slot(piece, self.slots.len());
        loop {
            let [found, start, length, symbol] = self.slots[at];
            if length == 0 {
                return None;
            }
            if found == tag && &self.text[start as usize..][..length as usize] == piece {
                return Some(symbol);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }
}

/// The key of the `length` bytes at `at`, at most [`SHORT`].
#[inline(always)]
pub(super) fn key(text: &[u8], at: usize, length: usize) -> Key {
    let word = |at: usize| u64::from_le_bytes(text[at..at + 8].try_into().expect("eight bytes"));
    let end = at + length;
    // Whole words are read where the text has them, before or behind; what is not of the piece is shifted out.
    let bytes = if at + 16 <= text.len() {
        let both = u128::from(word(at)) | u128::from(word(at + 8)) << 64;
        both & !(u128::MAX << (8 * length))
    } else if end >= 16 {
        let both = u128::from(word(end - 16)) | u128::from(word(end - 8)) << 64;
        (both >> 8) >> (8 * (SHORT - length))
    } else {
        text[at..end].iter().rev().fold(0, |bytes, &byte| bytes << 8 | u128::from(byte))
    };
    [bytes as u64, (bytes >> 64) as u64 | (length as u64) << 56]
}

#[inline(always)]
pub(super) fn hash_key(key: Key) -> u64 {
    mix(key[0], key[1])
}

#[inline(always)]
fn slot(piece: &[u8], slots: usize) -> (usize, u32) {
    let hash = hash_bytes(piece);
    ((hash as usize) & (slots - 1), (hash >> 32) as u32)
}
