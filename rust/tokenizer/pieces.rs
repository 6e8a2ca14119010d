//! Pieces by their bytes: open addressing over one block of text.

use super::hash::hash_bytes;

/// Strings that are one id as a whole.
pub(super) struct Pieces {
    slots: Vec<Slot>,
    text: Vec<u8>,
    longest: usize,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    /// The half of the hash that did not choose the slot.
    tag: u32,
    start: u32,
    /// Zero for a slot without a piece: no piece is empty.
    length: u32,
    id: u32,
}

impl Pieces {
    /// `pieces` are distinct; empty ones are left out.
    pub(super) fn new(pieces: &[(String, u32)]) -> Result<Self, String> {
        let slots = vec![Slot::default(); (pieces.len() * 2).next_power_of_two().max(2)];
        let mut table = Self { slots, text: Vec::new(), longest: 0 };
        for (piece, id) in pieces.iter().filter(|(piece, _)| !piece.is_empty()) {
            let (mut at, tag) = table.place(piece.as_bytes());
            while table.slots[at].length != 0 {
                at = (at + 1) & (table.slots.len() - 1);
            }
            let start = u32::try_from(table.text.len()).map_err(|_| "model.vocab: 4 GiB of text".to_owned())?;
            let length = u32::try_from(piece.len()).map_err(|_| "model.vocab: 4 GiB of text".to_owned())?;
            table.slots[at] = Slot { tag, start, length, id: *id };
            table.text.extend_from_slice(piece.as_bytes());
            table.longest = table.longest.max(piece.len());
        }
        Ok(table)
    }

    #[inline]
    pub(super) fn get(&self, piece: &[u8]) -> Option<u32> {
        if piece.len() > self.longest {
            return None;
        }
        let (mut at, tag) = self.place(piece);
        loop {
            let slot = self.slots[at];
            if slot.length == 0 {
                return None;
            }
            if slot.tag == tag && &self.text[slot.start as usize..][..slot.length as usize] == piece {
                return Some(slot.id);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    #[inline]
    fn place(&self, piece: &[u8]) -> (usize, u32) {
        let hash = hash_bytes(piece);
        ((hash as usize) & (self.slots.len() - 1), (hash >> 32) as u32)
    }
}
