//! Small tokenizers, built by hand or at random, and their `tokenizer.json`.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};

/// Characters of pieces, merges and texts: several widths, U+2581, and those of look-alike added tokens.
pub const ALPHABET: [char; 14] = ['a', 'b', 'c', '\u{2581}', ' ', '\n', '\t', '<', '>', '0', 'x', 'é', '中', '😀'];

/// A Gemma-style definition. Ids count on from [`Self::FIRST_ID`]: bytes, pieces, then new added tokens.
#[derive(Clone, Debug, Default)]
pub struct Definition {
    pub pieces: Vec<String>,
    pub merges: Vec<(String, String)>,
    pub added: Vec<String>,
}

impl Definition {
    /// Single characters, products of `merges` in order, and `added`.
    pub fn new(characters: &str, merges: &[(&str, &str)], added: &[&str]) -> Self {
        let mut definition = Self { added: added.iter().map(|token| token.to_string()).collect(), ..Self::default() };
        definition.pieces = (0..=255).map(|byte: u8| format!("<0x{byte:02X}>")).collect();
        characters.chars().for_each(|character| definition.add_piece(character.into()));
        merges.iter().for_each(|(left, right)| definition.add_merge(left, right));
        definition
    }

    pub fn add_piece(&mut self, piece: String) {
        if !self.pieces.contains(&piece) {
            self.pieces.push(piece);
        }
    }

    pub fn add_merge(&mut self, left: &str, right: &str) {
        self.merges.push((left.into(), right.into()));
        self.add_piece(format!("{left}{right}"));
    }

    pub fn id(&self, piece: &str) -> u32 {
        self.pieces.iter().position(|other| other == piece).expect("a piece") as u32
    }

    pub fn added_id(&self, token: &str) -> u32 {
        let is_new = |token: &&String| !self.pieces.contains(token);
        match self.added.iter().filter(is_new).position(|other| other == token) {
            Some(place) => (self.pieces.len() + place) as u32,
            None => self.id(token),
        }
    }

    pub fn json(&self) -> Value {
        let vocab: Map<String, Value> =
            self.pieces.iter().map(|piece| (piece.clone(), self.id(piece).into())).collect();
        let flags = |token: &String| {
            json!({"id": self.added_id(token), "content": token, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": token.len() > 3})
        };
        json!({
            "version": "1.0", "truncation": null, "padding": null,
            "added_tokens": self.added.iter().map(flags).collect::<Vec<_>>(),
            "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u{2581}"},
            "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious",
                "invert": false},
            "post_processor": null, "decoder": null,
            "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
                "vocab": vocab, "merges": self.merges},
        })
    }
}

/// Any: merges of pieces that exist by then, in any order of rank, some twice; pieces that nothing produces; added
/// tokens that are pieces, prefixes of each other, or neither.
pub fn definitions() -> impl Strategy<Value = Definition> {
    made_of(ALPHABET.to_vec(), 4)
}

/// The same of three characters, which leaves few places to cut a text of them.
pub fn dense_definitions() -> impl Strategy<Value = Definition> {
    made_of(vec!['a', 'b', ' ', '\u{2581}'], 3)
}

/// Texts long enough for units that go through a heap.
pub fn dense_texts() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!['a', 'b', ' ']), 65..400).prop_map(String::from_iter)
}

fn made_of(alphabet: Vec<char>, fewest: usize) -> impl Strategy<Value = Definition> {
    let letters = alphabet.clone();
    let word = || prop::collection::vec(prop::sample::select(letters.clone()), 1..4).prop_map(String::from_iter);
    let steps = prop::collection::vec((any::<Index>(), any::<Index>()), 0..60);
    let added = prop::collection::btree_set(word(), 0..6);
    let characters = prop::sample::subsequence(alphabet.clone(), fewest..=alphabet.len());
    (characters, steps, prop::collection::vec(word(), 0..4), added, any::<u64>()).prop_map(
        |(characters, steps, unmade, added, order)| {
            let mut definition = Definition::new(&String::from_iter(characters), &[], &[]);
            for (left, right) in steps {
                // Byte pieces take no part in merges.
                let parts = definition.pieces[256..].to_vec();
                let (left, right) = (left.get(&parts), right.get(&parts));
                if left.len() + right.len() < 40 {
                    definition.add_merge(left, right);
                }
            }
            unmade.into_iter().for_each(|piece| definition.add_piece(piece));
            let mut state = order | 1;
            definition.merges.sort_by_cached_key(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                if order % 2 == 0 { state >> 33 } else { 0 }
            });
            definition.added = added.into_iter().collect();
            definition
        },
    )
}

/// Texts of the alphabet, of repeated words of it, and of characters that no vocabulary here has.
pub fn texts() -> impl Strategy<Value = String> {
    let known = prop::sample::select(ALPHABET.to_vec());
    let foreign = prop::sample::select(vec!['\r', '\0', '\u{A0}', '\u{3000}', 'q', '\u{301}', '\u{200D}', '𝒳']);
    let character = prop_oneof![12 => known, 1 => foreign];
    let word = prop::collection::vec(character, 0..12).prop_map(String::from_iter);
    let run = (word, prop_oneof![6 => 1..3_usize, 1 => 1..80_usize]).prop_map(|(word, count)| word.repeat(count));
    prop::collection::vec(run, 0..8).prop_map(|runs| runs.concat())
}
