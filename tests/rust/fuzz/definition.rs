//! Any definition and some texts: the native path, or the reading of what it does not take, against the library.

use arbitrary::{Result, Unstructured};
use serde_json::{Value, json};

use super::definitions::{ALPHABET, Definition};
use super::rest;
use super::tokenizer::Pair;

/// Bytes choose a definition, what is wrong or odd about it, and texts.
pub fn definition(data: &[u8]) {
    // Bytes that end too early have chosen nothing.
    let _ = check(&mut Unstructured::new(data));
}

fn check(bytes: &mut Unstructured<'_>) -> Result<()> {
    let mut json = built(bytes)?.json();
    for _ in 0..bytes.int_in_range(0..=4)? {
        spoil(&mut json, bytes)?;
    }
    if bytes.ratio(3, 4)? {
        number_added(&mut json);
    }
    let Some(mut pair) = Pair::new(&json.to_string()) else { return Ok(()) };
    for _ in 0..bytes.int_in_range(1..=4)? {
        pair.check(&word(bytes, 40)?);
    }
    pair.check(&String::from_utf8_lossy(rest(bytes)));
    Ok(())
}

/// Pieces made of each other in any order of rank, pieces that nothing makes, and added tokens.
fn built(bytes: &mut Unstructured<'_>) -> Result<Definition> {
    let chosen: u16 = bytes.arbitrary()?;
    let characters = ALPHABET.iter().enumerate().filter(|(place, _)| chosen >> place & 1 == 1).map(|(_, c)| c);
    let mut definition = Definition::new(&String::from_iter(characters), &[], &[]);
    for _ in 0..bytes.int_in_range(0..=40)? {
        let parts = definition.pieces[256..].to_vec();
        if parts.is_empty() {
            break;
        }
        let (left, right) = (bytes.choose(&parts)?, bytes.choose(&parts)?);
        if left.len() + right.len() < 40 {
            definition.add_merge(left, right);
        }
    }
    for _ in 0..bytes.int_in_range(0..=20)? {
        let (one, other) = (bytes.choose_index(64)?, bytes.choose_index(64)?);
        if one.max(other) < definition.merges.len() {
            definition.merges.swap(one, other);
        }
    }
    for _ in 0..bytes.int_in_range(0..=3)? {
        definition.add_piece(word(bytes, 20)?);
    }
    for _ in 0..bytes.int_in_range(0..=6)? {
        let token = word(bytes, 4)?;
        if !definition.added.contains(&token) {
            definition.added.push(token);
        }
    }
    Ok(definition)
}

/// Up to `longest` characters, most of them of pieces.
fn word(bytes: &mut Unstructured<'_>, longest: usize) -> Result<String> {
    let foreign = ['\r', '\0', '\u{A0}', 'q', '\u{301}', '\u{200D}'];
    let length = bytes.int_in_range(0..=longest)?;
    let character = |_| bytes.choose_index(20).map(|place| *ALPHABET.get(place).unwrap_or(&foreign[place % 6]));
    (0..length).map(character).collect()
}

/// Changes one thing: an id, a merge, or a setting.
fn spoil(json: &mut Value, bytes: &mut Unstructured<'_>) -> Result<()> {
    let settings = [
        ("/normalizer", json!(null)),
        ("/normalizer/content", json!("_")),
        ("/pre_tokenizer", json!(null)),
        ("/pre_tokenizer/behavior", json!("Isolated")),
        ("/pre_tokenizer/invert", json!(true)),
        ("/model/byte_fallback", json!(false)),
        ("/model/ignore_merges", json!(true)),
        ("/model/unk_token", json!("a")),
        ("/model/fuse_unk", json!(false)),
        ("/model/end_of_word_suffix", json!("c")),
        ("/added_tokens/0/lstrip", json!(true)),
        ("/added_tokens/0/rstrip", json!(true)),
        ("/added_tokens/0/normalized", json!(true)),
        ("/added_tokens/1/single_word", json!(true)),
        ("/added_tokens/1/special", json!(true)),
        ("/added_tokens/1/content", json!("a")),
    ];
    match bytes.int_in_range(0..=5)? {
        0..=2 => {
            // Far ids too: they are in the way of tables that are indexed with them.
            let id: u32 = if bytes.ratio(1, 8)? { bytes.arbitrary()? } else { bytes.int_in_range(250..=600)? };
            let vocab = json["model"]["vocab"].as_object_mut().expect("a map");
            let place = bytes.choose_index(vocab.len())?;
            *vocab.values_mut().nth(place).expect("chosen from them") = id.into();
        }
        3 => {
            let merge = json!([word(bytes, 2)?, word(bytes, 2)?]);
            json["model"]["merges"].as_array_mut().expect("a list").push(merge);
        }
        _ => {
            let (pointer, value) = bytes.choose(&settings)?;
            if let Some(place) = json.pointer_mut(pointer) {
                *place = value.clone();
            }
        }
    }
    Ok(())
}

/// Gives added tokens the ids that they get anyway, whatever the pieces are numbered: others are refused natively.
fn number_added(json: &mut Value) {
    let vocab = json["model"]["vocab"].as_object().expect("a map").clone();
    let mut next = vocab.len();
    for token in json["added_tokens"].as_array_mut().expect("a list") {
        let content = token["content"].as_str().expect("a string");
        token["id"] = vocab.get(content).cloned().unwrap_or_else(|| {
            next += 1;
            json!(next - 1)
        });
    }
}
