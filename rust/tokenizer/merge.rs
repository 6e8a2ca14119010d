//! BPE proper: the symbols of a unit, joined two by two, always the pair of least rank, the leftmost on ties.
//!
//! A symbol is a piece, numbered so that of two products the one with the lesser number is made first: since every
//! piece that text can bring about has exactly one merge that makes it (see `compile.rs`), its number says its rank.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::definition::SPACE_MARK;
use super::format::{Reader, Refusal, Section, Writer};
use super::perfect::{Places, Plan};
use crate::kernel::prefetch;

/// Bits of a symbol's number: two symbols and their product are one word.
pub(super) const BITS: u32 = 21;
/// No symbol; also the number that no symbol may have.
pub(super) const NO_SYMBOL: u32 = (1 << BITS) - 1;

/// Above `left << BITS | right`, below it the product. All ones where there is none.
type Slot = u64;
const EMPTY: Slot = u64::MAX;

/// A merge that text can bring about.
pub(super) struct Pair {
    pub left: u32,
    pub right: u32,
    pub product: u32,
}

/// Merges by their two parts, and the symbols that a text begins as.
pub(super) struct Merger<'a> {
    pairs: &'a [Slot],
    places: Places<'a>,
    /// `blocks[pages[c >> 8]][c & 255]` is the symbol of the character `c`, or [`NO_SYMBOL`].
    pages: &'a [u16],
    blocks: &'a [[u32; 256]],
    byte_symbols: &'a [u32; 256],
    /// What the ids of the symbols from `moved` on are larger by than their numbers, modulo 2^32; the others' are their
    /// numbers. Differences are few and alike, and so take no room where the file is compressed.
    shifts: &'a [u32],
    moved: u32,
}

/// Room to work in, kept between units.
#[derive(Default)]
pub(super) struct Scratch {
    symbols: Vec<u32>,
    links: Vec<Link>,
    queue: BinaryHeap<Reverse<(u32, u32)>>,
}

/// Neighbours in the list of living symbols; [`END`] at its ends.
#[derive(Clone, Copy)]
struct Link {
    previous: u32,
    next: u32,
}

const END: u32 = u32::MAX;

/// What the tables are made from.
pub(super) struct Symbols {
    pub pairs: Vec<Pair>,
    pub characters: Vec<(char, u32)>,
    pub bytes: [u32; 256],
    /// The id of each symbol.
    pub ids: Vec<u32>,
}

impl<'a> Merger<'a> {
    pub(super) fn write(symbols: &Symbols, writer: &mut Writer) {
        let hashes: Vec<u64> = symbols.pairs.iter().map(|pair| hash(pair.left, pair.right)).collect();
        let plan = Plan::new(&hashes, hashes.len() + hashes.len() / 8, 1);
        let mut pairs = vec![EMPTY; plan.lines];
        for (pair, &line) in symbols.pairs.iter().zip(&plan.line_of) {
            pairs[line] = key(pair.left, pair.right) << BITS | u64::from(pair.product);
        }
        let (mut pages, mut blocks) = (vec![0_u16; 0x1100], vec![[NO_SYMBOL; 256]]);
        for &(character, symbol) in &symbols.characters {
            let page = &mut pages[character as usize >> 8];
            if *page == 0 {
                // At most 0x1100 pages.
                *page = blocks.len() as u16;
                blocks.push([NO_SYMBOL; 256]);
            }
            blocks[usize::from(*page)][character as usize & 255] = symbol;
        }
        writer.section(Section::Pairs, &pairs);
        writer.section(Section::PairPlaces, &plan.displacements);
        writer.section(Section::CharacterPages, &pages);
        writer.section(Section::CharacterBlocks, &blocks);
        writer.section(Section::ByteSymbols, &symbols.bytes);
        let moved = |number: &usize| symbols.ids[*number] as usize != *number;
        let first = (0..symbols.ids.len()).find(moved).unwrap_or(0);
        let end = (0..symbols.ids.len()).rfind(moved).map_or(first, |last| last + 1);
        let shifts: Vec<u32> = (first..end).map(|number| symbols.ids[number].wrapping_sub(number as u32)).collect();
        writer.section(Section::IdShifts, &shifts);
        writer.section(Section::FirstId, &[first as u32]);
    }

    pub(super) fn read(reader: &Reader<'a>) -> Result<Self, Refusal> {
        let pairs: &[Slot] = reader.section(Section::Pairs)?;
        let places = Places::read(reader.section(Section::PairPlaces)?).filter(|_| !pairs.is_empty());
        let places = places.ok_or("pairs: wrong size")?;
        // What stands beside a unit is no symbol, and merging ends because nothing joins it.
        let joins_nothing = |slot: Slot| {
            slot != EMPTY && [slot >> BITS, slot >> (2 * BITS)].iter().any(|part| *part as u32 & NO_SYMBOL == NO_SYMBOL)
        };
        if pairs.iter().any(|&slot| joins_nothing(slot)) {
            return Err("pairs: one is of no symbol".to_owned());
        }
        let pages: &[u16] = reader.section(Section::CharacterPages)?;
        let blocks: &[[u32; 256]] = reader.section(Section::CharacterBlocks)?;
        if pages.len() != 0x1100 || pages.iter().any(|page| usize::from(*page) >= blocks.len()) {
            return Err("characters: a page leads outside".to_owned());
        }
        let byte_symbols = reader.section(Section::ByteSymbols)?.try_into().map_err(|_| "bytes: wrong size")?;
        let shifts = reader.section(Section::IdShifts)?;
        let &[moved] = reader.section(Section::FirstId)? else { return Err("ids: wrong size".to_owned()) };
        Ok(Self { pairs, places, pages, blocks, byte_symbols, shifts, moved })
    }

    /// The product of two symbols, or [`NO_SYMBOL`].
    #[inline(always)]
    pub(super) fn product(&self, left: u32, right: u32) -> u32 {
        self.product_at(self.line(left, right), left, right)
    }

    /// The line where [`Self::product`] looks.
    #[inline(always)]
    fn line(&self, left: u32, right: u32) -> usize {
        self.places.line(hash(left, right), self.pairs.len())
    }

    /// The product of two symbols, given what [`Self::ask`] said of them.
    #[inline(always)]
    pub(super) fn product_at(&self, line: usize, left: u32, right: u32) -> u32 {
        let slot = self.pairs[line];
        std::hint::select_unpredictable(slot >> BITS == key(left, right), slot as u32 & NO_SYMBOL, NO_SYMBOL)
    }

    /// Calls `emit` with the ids of `unit`, in which a space stands for U+2581. For units of any length; see `lanes.rs`
    /// for those of ordinary length.
    #[inline(never)]
    pub(super) fn encode(&self, unit: &str, scratch: &mut Scratch, mut emit: impl FnMut(u32)) {
        scratch.symbols.clear();
        self.begin(unit, |symbol| scratch.symbols.push(symbol));
        self.merge(scratch);
        scratch.symbols.iter().filter(|symbol| **symbol != NO_SYMBOL).for_each(|symbol| emit(self.id(*symbol)));
    }

    /// Asks for the cache line that holds the product of two symbols, if there is one, and says which.
    #[inline(always)]
    pub(super) fn ask(&self, left: u32, right: u32) -> usize {
        let line = self.line(left, right);
        prefetch::entry(self.pairs, line);
        line
    }

    /// The id of a symbol.
    #[inline(always)]
    pub(super) fn id(&self, symbol: u32) -> u32 {
        let shift = self.shifts.get(symbol.wrapping_sub(self.moved) as usize).copied().unwrap_or(0);
        symbol.wrapping_add(shift)
    }

    /// One symbol a character; those that are no piece become byte pieces.
    #[inline(always)]
    pub(super) fn begin(&self, unit: &str, mut push: impl FnMut(u32)) {
        for character in unit.chars() {
            let symbol = self.blocks[usize::from(self.pages[character as usize >> 8])][character as usize & 255];
            if symbol != NO_SYMBOL {
                push(symbol);
                continue;
            }
            let character = if character == ' ' { SPACE_MARK } else { character };
            let mut buffer = [0; 4];
            character.encode_utf8(&mut buffer).bytes().for_each(|byte| push(self.byte_symbols[usize::from(byte)]));
        }
    }

    /// A dead symbol becomes [`NO_SYMBOL`]. A queued (product, place) is void if the pair at that place has another
    /// product by now.
    fn merge(&self, scratch: &mut Scratch) {
        let Scratch { symbols, links, queue } = scratch;
        let count = u32::try_from(symbols.len()).expect("units are cut before they are that long");
        links.clear();
        links.extend((0..count).map(|at| Link {
            previous: at.checked_sub(1).unwrap_or(END),
            next: if at + 1 == count { END } else { at + 1 },
        }));
        let candidates = symbols.windows(2).zip(0..).map(|(pair, at)| (self.product(pair[0], pair[1]), at));
        // Built at once: a heap from a vector takes linear time.
        let mut entries = std::mem::take(queue).into_vec();
        entries.clear();
        entries.extend(candidates.filter(|(product, _)| *product != NO_SYMBOL).map(Reverse));
        *queue = entries.into();

        while let Some(Reverse((product, at))) = queue.pop() {
            let Link { previous, next } = links[at as usize];
            if symbols[at as usize] == NO_SYMBOL || next == END {
                continue;
            }
            if self.product(symbols[at as usize], symbols[next as usize]) != product {
                continue;
            }
            let after = links[next as usize].next;
            symbols[at as usize] = product;
            symbols[next as usize] = NO_SYMBOL;
            links[at as usize].next = after;
            if after != END {
                links[after as usize].previous = at;
            }
            let mut enqueue = |left: u32, right: u32| {
                let product = self.product(symbols[left as usize], symbols[right as usize]);
                if product != NO_SYMBOL {
                    queue.push(Reverse((product, left)));
                }
            };
            if previous != END {
                enqueue(previous, at);
            }
            if after != END {
                enqueue(at, after);
            }
        }
    }
}

#[inline(always)]
fn key(left: u32, right: u32) -> u64 {
    u64::from(left) << BITS | u64::from(right)
}

/// Different for different pairs: the factor is odd.
#[inline(always)]
fn hash(left: u32, right: u32) -> u64 {
    key(left, right).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
