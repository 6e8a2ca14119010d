//! From a definition to the tables of the compiled form.
//!
//! Not every piece can come about: merges of a lesser rank may lead elsewhere, and a piece may hold a real space,
//! which text never does once normalized. A merge that makes none of those that can never happens, and is left out:
//! when a piece comes about inside a text, its symbols have merged among themselves alone, in the order of their
//! ranks, as they would with nothing around them. So the last of those merges is the one that makes the piece by
//! itself: of all merges to one product, a single one is kept, and the products can be numbered in its order.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use memmap2::Mmap;

use super::added::Added;
use super::cuts::Cuts;
use super::definition::{Definition, NO_ID, SPACE_MARK};
use super::format::{Refusal, Writer};
use super::hash::FoldHasher;
use super::merge::{Merger, NO_SYMBOL, Pair, Symbols};
use super::pieces::Pieces;
use crate::pieces::in_pieces;

/// Pieces that one thread encodes before it takes others.
const TOGETHER: usize = 4096;

/// Compiles the text of a `tokenizer.json` with the given SHA-256; refuses what it would not encode exactly.
pub(super) fn compile(json: &[u8], sha256: &[u8; 32]) -> Result<Mmap, Refusal> {
    let definition = Definition::parse(json)?;
    let (whole, live) = producible(&definition);
    let mut writer = Writer::default();
    let added: Vec<(&str, u32)> = definition.added.iter().map(|(content, id)| (&**content, *id)).collect();
    Added::write(&added, &mut writer)?;
    let merges = || live.iter().map(|&rank| &definition.merges[rank as usize]);
    let joined =
        merges().filter_map(|merge| Some((merge.left_text.chars().next_back()?, merge.right_text.chars().next()?)));
    Cuts::write(joined, &mut writer);
    let (symbols, numbers) = symbols(&definition, &live)?;
    let whole: Vec<(String, u32)> = whole.into_iter().map(|(piece, id)| (piece, numbers[id as usize])).collect();
    Pieces::write(&whole, &mut writer)?;
    Merger::write(&symbols, &mut writer);
    writer.finish(sha256, definition.vocab_size).map_err(|error| format!("no memory: {error}"))
}

/// The pieces that encode to themselves, as text spells them, with spaces; and the ranks of the merges that make
/// them, ascending.
fn producible(definition: &Definition<'_>) -> (Vec<(String, u32)>, Vec<u32>) {
    let merging = AllMerges::new(definition);
    let spelt: Vec<(String, u32)> =
        definition.pieces.iter().map(|(piece, id)| (piece.replace(SPACE_MARK, " "), *id)).collect();
    // For a piece that can come about, the rank of its last merge, if it has one.
    let mut made: Vec<Option<Option<u32>>> = vec![None; spelt.len()];
    let pieces = spelt.chunks(TOGETHER).zip(made.chunks_mut(TOGETHER)).collect();
    let lend = |use_it: &mut dyn FnMut(&mut Vec<u32>)| use_it(&mut Vec::new());
    in_pieces(pieces, None, &mut || false, lend, |symbols, (spelt, made), _| {
        for ((piece, id), made) in spelt.iter().zip(made) {
            let last_rank = merging.encode(piece, symbols);
            *made = (symbols[..] == [*id]).then_some(last_rank);
        }
        Ok(())
    })
    .expect("no piece fails, and nobody interrupts");
    let found = spelt.into_iter().zip(made).filter_map(|(piece, made)| Some((piece, made?)));
    let (mut whole, ranks): (Vec<_>, Vec<Option<u32>>) = found.unzip();
    let mut live: Vec<u32> = ranks.into_iter().flatten().collect();
    // The order of a hash map is no order: the same definition gives the same bytes.
    whole.sort_unstable_by_key(|(_, id)| *id);
    live.sort_unstable();
    (whole, live)
}

/// Every merge of a definition, with its rank; plain, for it encodes each piece once.
struct AllMerges<'a> {
    definition: &'a Definition<'a>,
    /// Rank and product of each pair.
    outcomes: HashMap<u64, (u32, u32), BuildHasherDefault<FoldHasher>>,
}

impl<'a> AllMerges<'a> {
    fn new(definition: &'a Definition<'a>) -> Self {
        // Of two merges of one pair the library keeps the later.
        let outcome = |(rank, merge): (u32, &super::definition::Merge<'_>)| {
            (u64::from(merge.left) << 32 | u64::from(merge.right), (rank, merge.product))
        };
        Self { definition, outcomes: (0..).zip(&definition.merges).map(outcome).collect() }
    }

    /// Leaves the ids of `unit` in `symbols`; the rank of the last merge, if there was one.
    fn encode(&self, unit: &str, symbols: &mut Vec<u32>) -> Option<u32> {
        symbols.clear();
        let mut buffer = [0; 4];
        for character in unit.chars() {
            let character = if character == ' ' { SPACE_MARK } else { character };
            let piece: &str = character.encode_utf8(&mut buffer);
            match self.definition.pieces.get(piece) {
                Some(&id) => symbols.push(id),
                None => symbols.extend(piece.bytes().map(|byte| self.definition.byte_ids[usize::from(byte)])),
            }
        }
        let outcome = |left: u32, right: u32| {
            let found = self.outcomes.get(&(u64::from(left) << 32 | u64::from(right)));
            found.copied().unwrap_or((u32::MAX, NO_ID))
        };
        let mut outcomes: Vec<(u32, u32)> = symbols.windows(2).map(|pair| outcome(pair[0], pair[1])).collect();
        let mut last_rank = None;
        loop {
            let best = outcomes.iter().enumerate().min_by_key(|(at, (rank, _))| (*rank, *at));
            let Some((at, &(rank, product))) = best.filter(|(_, (rank, _))| *rank != u32::MAX) else {
                return last_rank;
            };
            last_rank = Some(rank);
            symbols[at] = product;
            symbols.remove(at + 1);
            outcomes.remove(at);
            if at > 0 {
                outcomes[at - 1] = outcome(symbols[at - 1], symbols[at]);
            }
            if at < outcomes.len() {
                outcomes[at] = outcome(symbols[at], symbols[at + 1]);
            }
        }
    }
}

/// Numbers the pieces so that products ascend with the rank of the merge that makes them; also gives the number of
/// each id.
fn symbols(definition: &Definition<'_>, live: &[u32]) -> Result<(Symbols, Vec<u32>), Refusal> {
    let merges: Vec<_> = live.iter().map(|&rank| &definition.merges[rank as usize]).collect();
    let largest = definition.pieces.values().copied().max().unwrap_or(0);
    // Before anything is as long as that.
    if largest >= NO_SYMBOL {
        return Err(format!("model.vocab: expected ids below {NO_SYMBOL}, found {largest}"));
    }
    // The ids that the products have anyway, in their order: usually nearly all keep their own.
    let mut ids: Vec<u32> = (0..=largest).collect();
    let mut products: Vec<u32> = merges.iter().map(|merge| merge.product).collect();
    products.sort_unstable();
    for (&number, merge) in products.iter().zip(&merges) {
        ids[number as usize] = merge.product;
    }
    let mut numbers: Vec<u32> = (0..=largest).collect();
    (0..).zip(&ids).for_each(|(number, &id)| numbers[id as usize] = number);
    let number = |id: u32| numbers[id as usize];
    let pairs = merges.iter().map(|merge| Pair {
        left: number(merge.left),
        right: number(merge.right),
        product: number(merge.product),
    });
    let mut characters = Vec::new();
    for (piece, &id) in &definition.pieces {
        let mut spelling = piece.chars();
        // A space is U+2581 by now, so a piece that is a space is never met.
        if let (Some(character), None) = (spelling.next(), spelling.next())
            && character != ' '
        {
            characters.push((character, number(id)));
            if character == SPACE_MARK {
                characters.push((' ', number(id)));
            }
        }
    }
    characters.sort_unstable();
    let (pairs, bytes) = (pairs.collect(), definition.byte_ids.map(number));
    Ok((Symbols { pairs, characters, bytes, ids }, numbers))
}
