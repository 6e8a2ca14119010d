//! Merging several units of ordinary length side by side.
//!
//! Each merge asks a table of some megabytes for the products of the new symbol with its neighbours, and the next
//! merge waits for the answers. Going from unit to unit, one merge at a time, the answers for one arrive while the
//! others are worked on.

use super::merge::{BITS, Merger, NO_SYMBOL};

/// Units side by side.
pub(super) const LANES: usize = 32;

/// Symbols of a unit; longer ones are merged by themselves.
const SYMBOLS: usize = 32;
/// A product and its place are one number, so that the least is the one to be made first. It is positive as a signed
/// one: the oldest vector instructions compare no others.
const PLACE_BITS: u32 = SYMBOLS.trailing_zeros();
const _: () = assert!(BITS + PLACE_BITS < i32::BITS);
/// Products that are looked at together.
const BLOCK: usize = 8;

const NOTHING: i32 = i32::MAX;

/// A unit under way.
#[derive(Clone, Copy)]
struct Lane {
    /// `product << PLACE_BITS | place` of each symbol and the next living one, or [`NOTHING`].
    products: [i32; SYMBOLS],
    symbols: [u32; SYMBOLS],
    /// Places of the living neighbours.
    next: [u8; SYMBOLS],
    previous: [u8; SYMBOLS],
    /// Symbols at the beginning.
    count: usize,
    /// Where the last merge was made: the products there and before are not known yet.
    merged: usize,
}

/// Room for units side by side, kept from text to text.
pub(super) struct Lanes {
    lanes: Box<[Lane; LANES]>,
    taken: usize,
}

/// Neighbours before anything is merged.
const NEXT: [u8; SYMBOLS] = neighbours(1);
const PREVIOUS: [u8; SYMBOLS] = neighbours(u8::MAX);

const fn neighbours(distance: u8) -> [u8; SYMBOLS] {
    let mut places = [0; SYMBOLS];
    let mut at = 0;
    while at < SYMBOLS {
        places[at] = (at as u8).wrapping_add(distance);
        at += 1;
    }
    places
}

impl Default for Lanes {
    fn default() -> Self {
        let empty = Lane {
            products: [NOTHING; SYMBOLS],
            symbols: [0; SYMBOLS],
            next: NEXT,
            previous: PREVIOUS,
            count: 0,
            merged: 0,
        };
        Self { lanes: Box::new([empty; LANES]), taken: 0 }
    }
}

impl Lanes {
    pub(super) fn clear(&mut self) {
        self.taken = 0;
    }

    /// Takes in a unit, of which at most [`LANES`] fit, and asks for the products of its characters. Gives the number
    /// of its lane, or `None` when it has too many symbols.
    #[inline(always)]
    pub(super) fn push(&mut self, merger: &Merger<'_>, unit: &str) -> Option<usize> {
        let lane = &mut self.lanes[self.taken % LANES];
        let mut count = 0;
        let mut last = NO_SYMBOL;
        merger.begin(unit, |symbol| {
            lane.symbols[count % SYMBOLS] = symbol;
            if count > 0 {
                merger.prefetch(last, symbol);
            }
            last = symbol;
            count += 1;
        });
        if count > SYMBOLS {
            return None;
        }
        lane.count = count;
        self.taken += 1;
        Some(self.taken - 1)
    }

    /// Makes all merges of all units.
    #[inline(never)]
    pub(super) fn merge(&mut self, merger: &Merger<'_>) {
        let mut active = [0_u8; LANES];
        let mut living = 0;
        let taken = self.taken.min(LANES);
        for (number, lane) in self.lanes[..taken].iter_mut().enumerate() {
            lane.begin(merger);
            active[living] = number as u8;
            living += usize::from(lane.step(merger));
        }
        while living > 0 {
            let mut kept = 0;
            for at in 0..living {
                let number = active[at];
                let lane = &mut self.lanes[usize::from(number) % LANES];
                lane.catch_up(merger);
                active[kept] = number;
                kept += usize::from(lane.step(merger));
            }
            living = kept;
        }
    }

    /// Writes the ids of a unit whose merges are made to `ids`, and gives their number.
    #[inline(always)]
    pub(super) fn ids(&self, number: usize, merger: &Merger<'_>, ids: &mut [u32; SYMBOLS]) -> usize {
        let lane = &self.lanes[number % LANES];
        let (mut at, mut length) = (0, 0);
        while at < lane.count {
            ids[length % SYMBOLS] = merger.id(lane.symbols[at % SYMBOLS]);
            length += 1;
            at = usize::from(lane.next[at % SYMBOLS]);
        }
        length
    }
}

/// Room for the ids of a lane.
pub(super) type LaneIds = [u32; SYMBOLS];

impl Lane {
    #[inline(always)]
    fn begin(&mut self, merger: &Merger<'_>) {
        let count = self.count.min(SYMBOLS);
        (self.next, self.previous) = (NEXT, PREVIOUS);
        let mut last = self.symbols[0];
        for at in 1..count {
            let symbol = self.symbols[at];
            self.products[at - 1] = packed(merger.product(last, symbol), at - 1);
            last = symbol;
        }
        // Up to the end of the block, nothing.
        for product in &mut self.products[count.saturating_sub(1)..count.next_multiple_of(BLOCK).min(SYMBOLS)] {
            *product = NOTHING;
        }
    }

    /// Makes the merge of least rank, the leftmost on ties, and asks for the products that it gives rise to; false
    /// when there is none.
    #[inline(always)]
    fn step(&mut self, merger: &Merger<'_>) -> bool {
        let mut least = [NOTHING; BLOCK];
        for block in self.products.chunks_exact(BLOCK).take(self.count.div_ceil(BLOCK)) {
            for (least, &product) in least.iter_mut().zip(block) {
                *least = if product < *least { product } else { *least };
            }
        }
        let best = least.into_iter().fold(NOTHING, i32::min);
        if best == NOTHING {
            return false;
        }
        let at = best as usize % SYMBOLS;
        let product = best as u32 >> PLACE_BITS;
        let taken = usize::from(self.next[at]) % SYMBOLS;
        let after = usize::from(self.next[taken]);
        self.symbols[at] = product;
        self.products[taken] = NOTHING;
        self.next[at] = after as u8;
        self.merged = at;
        if after < self.count {
            self.previous[after % SYMBOLS] = at as u8;
            merger.prefetch(product, self.symbols[after % SYMBOLS]);
        }
        if at > 0 {
            merger.prefetch(self.symbols[usize::from(self.previous[at]) % SYMBOLS], product);
        }
        true
    }

    /// Looks up what [`Self::step`] asked for.
    #[inline(always)]
    fn catch_up(&mut self, merger: &Merger<'_>) {
        let at = self.merged % SYMBOLS;
        let product = self.symbols[at];
        let after = usize::from(self.next[at]);
        self.products[at] = NOTHING;
        if after < self.count {
            self.products[at] = packed(merger.product(product, self.symbols[after % SYMBOLS]), at);
        }
        if at > 0 {
            let before = usize::from(self.previous[at]) % SYMBOLS;
            self.products[before] = packed(merger.product(self.symbols[before], product), before);
        }
    }
}

#[inline(always)]
fn packed(product: u32, at: usize) -> i32 {
    if product == NO_SYMBOL { NOTHING } else { (product << PLACE_BITS) as i32 | at as i32 }
}
