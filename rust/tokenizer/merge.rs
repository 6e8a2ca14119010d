//! BPE proper: the symbols of a unit, joined two by two, always the pair of least rank, the leftmost on ties.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::definition::{Definition, Merge, NO_ID, SPACE_MARK};
use super::hash::mix;
use crate::error::{Error, Result};

/// Units of more symbols than this use a heap; below it, moving a few words down is cheaper.
const LINEAR: usize = 64;

/// Merges by their two parts, and the symbols that a text begins as.
pub(super) struct Merger {
    pairs: Vec<Slot>,
    /// `blocks[pages[c >> 8]][c & 255]` is the id of the character `c`, or [`NO_ID`].
    pages: Vec<u16>,
    blocks: Vec<[u32; 256]>,
    byte_ids: [u32; 256],
}

#[derive(Clone, Copy)]
struct Slot {
    left: u32,
    right: u32,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq)]
struct Outcome {
    rank: u32,
    product: u32,
}

const NEVER: Outcome = Outcome { rank: u32::MAX, product: NO_ID };

/// Room to work in, kept between units.
#[derive(Default)]
pub(super) struct Scratch {
    symbols: Vec<u32>,
    outcomes: Vec<Outcome>,
    links: Vec<Link>,
    queue: BinaryHeap<Reverse<(u32, u32)>>,
    /// Rank of the last merge, once there has been one.
    pub last_rank: u32,
}

/// Neighbours in the list of living symbols; [`NO_ID`] at its ends.
#[derive(Clone, Copy)]
struct Link {
    previous: u32,
    next: u32,
}

impl Merger {
    /// Knows those of the definition's merges that are in `merges`, each with its rank, in order of rank.
    pub(super) fn new(definition: &Definition<'_>, merges: &[(u32, &Merge<'_>)]) -> Self {
        let size = (merges.len() * 2).next_power_of_two().max(2);
        let pairs = vec![Slot { left: NO_ID, right: NO_ID, outcome: NEVER }; size];
        let (pages, blocks) = (vec![0; 0x1100], vec![[NO_ID; 256]]);
        let mut merger = Self { pairs, pages, blocks, byte_ids: definition.byte_ids };
        // Of two merges of one pair the library keeps the later.
        for &(rank, merge) in merges {
            merger.insert(merge, rank);
        }
        for (piece, &id) in &definition.pieces {
            let mut characters = piece.chars();
            // A space is U+2581 by now, so a piece that is a space is never met.
            if let (Some(character), None) = (characters.next(), characters.next())
                && character != ' '
            {
                merger.set_character(character, id);
                if character == SPACE_MARK {
                    merger.set_character(' ', id);
                }
            }
        }
        merger
    }

    fn insert(&mut self, merge: &Merge<'_>, rank: u32) {
        let mut at = self.place(merge.left, merge.right);
        while self.pairs[at].left != NO_ID && (self.pairs[at].left, self.pairs[at].right) != (merge.left, merge.right) {
            at = (at + 1) & (self.pairs.len() - 1);
        }
        self.pairs[at] =
            Slot { left: merge.left, right: merge.right, outcome: Outcome { rank, product: merge.product } };
    }

    fn set_character(&mut self, character: char, id: u32) {
        let page = &mut self.pages[character as usize >> 8];
        if *page == 0 {
            // At most 0x1100 pages.
            *page = self.blocks.len() as u16;
            self.blocks.push([NO_ID; 256]);
        }
        self.blocks[usize::from(*page)][character as usize & 255] = id;
    }

    #[inline]
    fn place(&self, left: u32, right: u32) -> usize {
        mix(u64::from(left) << 32 | u64::from(right), 0) as usize & (self.pairs.len() - 1)
    }

    #[inline]
    fn outcome(&self, left: u32, right: u32) -> Outcome {
        let mut at = self.place(left, right);
        loop {
            let slot = &self.pairs[at];
            if slot.left == left && slot.right == right {
                return slot.outcome;
            }
            if slot.left == NO_ID {
                return NEVER;
            }
            at = (at + 1) & (self.pairs.len() - 1);
        }
    }

    /// Appends the ids of `unit`, in which a space stands for U+2581, to `ids`.
    ///
    /// # Errors
    /// The unit has 4 Gi symbols or more.
    pub(super) fn encode(&self, unit: &str, scratch: &mut Scratch, ids: &mut Vec<u32>) -> Result<()> {
        scratch.symbols.clear();
        self.begin(unit, &mut scratch.symbols);
        if scratch.symbols.len() <= LINEAR {
            self.merge_linear(scratch);
            ids.extend_from_slice(&scratch.symbols);
            return Ok(());
        }
        if scratch.symbols.len() >= NO_ID as usize {
            return Err(Error::Tokenizer(format!("{} characters that cannot be cut", scratch.symbols.len())));
        }
        self.merge_heap(scratch);
        let mut at = 0;
        while at != NO_ID {
            ids.push(scratch.symbols[at as usize]);
            at = scratch.links[at as usize].next;
        }
        Ok(())
    }

    /// One symbol a character; those that are no piece become byte pieces.
    fn begin(&self, unit: &str, symbols: &mut Vec<u32>) {
        for character in unit.chars() {
            let id = self.blocks[usize::from(self.pages[character as usize >> 8])][character as usize & 255];
            if id != NO_ID {
                symbols.push(id);
                continue;
            }
            let character = if character == ' ' { SPACE_MARK } else { character };
            let mut buffer = [0; 4];
            let bytes = character.encode_utf8(&mut buffer).bytes();
            symbols.extend(bytes.map(|byte| self.byte_ids[usize::from(byte)]));
        }
    }

    fn merge_linear(&self, Scratch { symbols, outcomes, last_rank, .. }: &mut Scratch) {
        outcomes.clear();
        outcomes.extend(symbols.windows(2).map(|pair| self.outcome(pair[0], pair[1])));
        loop {
            let mut best = (NEVER.rank, 0);
            for (at, outcome) in outcomes.iter().enumerate() {
                if outcome.rank < best.0 {
                    best = (outcome.rank, at);
                }
            }
            let (rank, at) = best;
            if rank == NEVER.rank {
                return;
            }
            *last_rank = rank;
            symbols[at] = outcomes[at].product;
            symbols.remove(at + 1);
            outcomes.remove(at);
            if at > 0 {
                outcomes[at - 1] = self.outcome(symbols[at - 1], symbols[at]);
            }
            if at < outcomes.len() {
                outcomes[at] = self.outcome(symbols[at], symbols[at + 1]);
            }
        }
    }

    /// A dead symbol becomes [`NO_ID`]. A queued (rank, place) is void if the pair at that place has another rank by
    /// now: a rank belongs to one pair.
    fn merge_heap(&self, Scratch { symbols, links, queue, last_rank, .. }: &mut Scratch) {
        let last = symbols.len() as u32 - 1;
        links.clear();
        links.extend((0..=last).map(|at| Link {
            previous: at.checked_sub(1).unwrap_or(NO_ID),
            next: if at == last { NO_ID } else { at + 1 },
        }));
        let candidates = symbols.windows(2).zip(0..).map(|(pair, at)| (self.outcome(pair[0], pair[1]).rank, at));
        // Built at once: a heap from a vector takes linear time.
        let mut entries = std::mem::take(queue).into_vec();
        entries.clear();
        entries.extend(candidates.filter(|(rank, _)| *rank != NEVER.rank).map(Reverse));
        *queue = entries.into();

        while let Some(Reverse((rank, at))) = queue.pop() {
            let Link { previous, next } = links[at as usize];
            if symbols[at as usize] == NO_ID || next == NO_ID {
                continue;
            }
            let outcome = self.outcome(symbols[at as usize], symbols[next as usize]);
            if outcome.rank != rank {
                continue;
            }
            *last_rank = rank;
            let after = links[next as usize].next;
            symbols[at as usize] = outcome.product;
            symbols[next as usize] = NO_ID;
            links[at as usize].next = after;
            if after != NO_ID {
                links[after as usize].previous = at;
            }
            let mut enqueue = |left: u32, right: u32| {
                let rank = self.outcome(symbols[left as usize], symbols[right as usize]).rank;
                if rank != NEVER.rank {
                    queue.push(Reverse((rank, left)));
                }
            };
            if previous != NO_ID {
                enqueue(previous, at);
            }
            if after != NO_ID {
                enqueue(at, after);
            }
        }
    }
}
