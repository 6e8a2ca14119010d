//! Merging several units of ordinary length side by side.
//!
//! Each merge asks a table of some megabytes for the products of the new symbol with its neighbours, and the next
//! merge waits for the answers. Going from unit to unit, one merge at a time, the answers for one arrive while the
//! others are worked on.

use super::merge::{BITS, Merger, NO_SYMBOL};

/// Units side by side.
pub(super) const LANES: usize = 64;

/// Places of a lane: one for each symbol of a unit, and one on each side. Longer units are merged by themselves.
const PLACES: usize = 32;
const SYMBOLS: usize = PLACES - 2;
/// A product and its place are one number, so that the least is the one to be made first. It is positive as a signed
/// one: the oldest vector instructions compare no others.
const PLACE_BITS: u32 = PLACES.trailing_zeros();
const _: () = assert!(BITS + PLACE_BITS < i32::BITS);

/// Less than this is a product.
const NOTHING: i32 = (NO_SYMBOL << PLACE_BITS) as i32;

/// A unit under way. Nothing here depends on whether a symbol is at an end of the unit, which nobody could foresee:
/// the places beside the unit hold no symbol, with which nothing has a product.
#[derive(Clone, Copy)]
struct Lane {
    /// `product << PLACE_BITS | place` of each symbol and the next living one, [`NOTHING`] or more if there is none.
    /// Before the first merge: where those products are.
    products: [i32; PLACES],
    symbols: [u32; PLACES],
    /// Places of the living neighbours.
    next: [u8; PLACES],
    previous: [u8; PLACES],
    /// Symbols at the beginning, and one.
    end: usize,
    /// Where the last merge was made: the products there and before are not known yet, but these lines hold them.
    merged: usize,
    lines: [usize; 2],
}

/// Room for units side by side, kept from text to text.
pub(super) struct Lanes {
    lanes: Box<[Lane; LANES]>,
    taken: usize,
}

/// Neighbours before anything is merged.
const NEXT: [u8; PLACES] = neighbours(1);
const PREVIOUS: [u8; PLACES] = neighbours(u8::MAX);

const fn neighbours(distance: u8) -> [u8; PLACES] {
    let mut places = [0; PLACES];
    let mut at = 0;
    while at < PLACES {
        places[at] = (at as u8).wrapping_add(distance);
        at += 1;
    }
    places
}

impl Default for Lanes {
    fn default() -> Self {
        let empty = Lane {
            products: [NOTHING; PLACES],
            symbols: [NO_SYMBOL; PLACES],
            next: NEXT,
            previous: PREVIOUS,
            end: 1,
            merged: 0,
            lines: [0; 2],
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
        let mut end = 1;
        let mut last = NO_SYMBOL;
        merger.begin(unit, |symbol| {
            lane.symbols[end % PLACES] = symbol;
            lane.products[(end - 1) % PLACES] = merger.ask(last, symbol) as i32;
            last = symbol;
            end += 1;
        });
        if end > SYMBOLS + 1 {
            lane.symbols[0] = NO_SYMBOL;
            return None;
        }
        lane.symbols[end] = NO_SYMBOL;
        lane.end = end;
        self.taken += 1;
        Some(self.taken - 1)
    }

    /// Makes all merges of all units.
    #[inline(never)]
    pub(super) fn merge(&mut self, merger: &Merger<'_>) {
        let mut active = [0_u8; LANES];
        let taken = self.taken.min(LANES);
        for (number, lane) in self.lanes[..taken].iter_mut().enumerate() {
            lane.begin(merger);
            active[number] = number as u8;
        }
        let mut living = taken;
        loop {
            let mut kept = 0;
            for at in 0..living {
                let number = active[at];
                active[kept] = number;
                kept += usize::from(self.lanes[usize::from(number) % LANES].step(merger));
            }
            if kept == 0 {
                break;
            }
            living = kept;
            // Apart from the steps: a product that was just written cannot be read at once as a part of a vector.
            for &number in &active[..living] {
                self.lanes[usize::from(number) % LANES].catch_up(merger);
            }
        }
    }

    /// Writes the ids of a unit whose merges are made to `ids`, and gives their number.
    #[inline(always)]
    pub(super) fn ids(&self, number: usize, merger: &Merger<'_>, ids: &mut [u32; SYMBOLS]) -> usize {
        let lane = &self.lanes[number % LANES];
        let (mut at, mut length) = (1, 0);
        while at < lane.end {
            ids[length % SYMBOLS] = merger.id(lane.symbols[at % PLACES]);
            length += 1;
            at = usize::from(lane.next[at % PLACES]);
        }
        length
    }
}

/// Room for the ids of a lane.
pub(super) type LaneIds = [u32; SYMBOLS];

impl Lane {
    #[inline(always)]
    fn begin(&mut self, merger: &Merger<'_>) {
        (self.next, self.previous) = (NEXT, PREVIOUS);
        for at in 1..self.end.min(PLACES) - 1 {
            let product = merger.product_at(self.products[at] as usize, self.symbols[at], self.symbols[at + 1]);
            self.products[at] = packed(product, at);
        }
        self.products[0] = NOTHING;
        self.products[self.end.min(PLACES) - 1..].fill(NOTHING);
    }

    /// Makes the merge of least rank, the leftmost on ties, and asks for the products that it gives rise to; false
    /// when there is none.
    #[inline(always)]
    fn step(&mut self, merger: &Merger<'_>) -> bool {
        let (first, second) = self.products.split_at(PLACES / 2);
        let best = if self.end <= PLACES / 2 { least(first) } else { least(first).min(least(second)) };
        if best >= NOTHING {
            return false;
        }
        let at = best as usize % PLACES;
        let product = best as u32 >> PLACE_BITS;
        let taken = usize::from(self.next[at]) % PLACES;
        let after = usize::from(self.next[taken]) % PLACES;
        let before = usize::from(self.previous[at]) % PLACES;
        self.symbols[at] = product;
        self.products[taken] = NOTHING;
        self.next[at] = after as u8;
        self.previous[after] = at as u8;
        self.merged = at;
        self.lines = [merger.ask(product, self.symbols[after]), merger.ask(self.symbols[before], product)];
        true
    }

    /// Looks up what [`Self::step`] asked for.
    #[inline(always)]
    fn catch_up(&mut self, merger: &Merger<'_>) {
        let at = self.merged % PLACES;
        let after = usize::from(self.next[at]) % PLACES;
        let before = usize::from(self.previous[at]) % PLACES;
        let product = self.symbols[at];
        let [line, line_before] = self.lines;
        self.products[at] = packed(merger.product_at(line, product, self.symbols[after]), at);
        self.products[before] = packed(merger.product_at(line_before, self.symbols[before], product), before);
    }
}

#[inline(always)]
fn least(products: &[i32]) -> i32 {
    let mut least = [NOTHING; PLACES / 2];
    least.copy_from_slice(products);
    // Halving by halving: vector instructions, and no branches.
    for width in [8, 4, 2, 1] {
        for at in 0..width {
            least[at] = least[at].min(least[at + width]);
        }
    }
    least[0]
}

#[inline(always)]
fn packed(product: u32, at: usize) -> i32 {
    (product << PLACE_BITS) as i32 | at as i32
}
