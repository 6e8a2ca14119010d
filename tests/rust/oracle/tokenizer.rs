//! BPE as it is defined, one merge at a time: slow, and short enough to be read.

use super::definition::Definition;

/// Ids of `text`: added tokens first, the text between them by merges.
pub fn encode(definition: &Definition, text: &str) -> Vec<u32> {
    let mut ids = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < text.len() {
        let here = definition.added.iter().filter(|token| text[at..].starts_with(token.as_str()));
        if let Some(token) = here.max_by_key(|token| token.len()) {
            ids.extend(merge(definition, &text[start..at]));
            ids.push(definition.added_id(token));
            at += token.len();
            start = at;
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    ids.extend(merge(definition, &text[start..]));
    ids
}

fn merge(definition: &Definition, text: &str) -> Vec<u32> {
    let bytes = |character: &str| character.bytes().map(|byte| format!("<0x{byte:02X}>")).collect::<Vec<_>>();
    let characters = text.replace(' ', "\u{2581}").chars().map(String::from).collect::<Vec<_>>();
    let known = |piece: &String| definition.pieces.contains(piece);
    let begin = |piece: &String| if known(piece) { vec![piece.clone()] } else { bytes(piece) };
    let mut symbols: Vec<String> = characters.iter().flat_map(begin).collect();
    // A pair that is listed twice has its last rank.
    let rank = |pair: &[String]| definition.merges.iter().rposition(|(a, b)| *a == pair[0] && *b == pair[1]);
    let best = |symbols: &[String]| {
        symbols.windows(2).enumerate().filter_map(|(at, pair)| Some((rank(pair)?, at))).min().map(|(_, at)| at)
    };
    while let Some(at) = best(&symbols) {
        let right = symbols.remove(at + 1);
        symbols[at].push_str(&right);
    }
    symbols.iter().map(|piece| definition.id(piece)).collect()
}
