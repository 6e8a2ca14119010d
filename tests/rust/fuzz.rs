//! The fuzz targets over random bytes: a few thousand inputs each, without a fuzzer.

#[path = "fuzz/mod.rs"]
mod fuzz;

use proptest::prelude::*;

/// Bytes of any kind, and such as are mostly letters of the definitions.
fn inputs(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    let letters = prop::sample::select(b"aaaabbbcc  \n<>s[x]\xE2\x96\x81\xC3\xA9".to_vec());
    let byte = prop_oneof![1 => any::<u8>(), 3 => letters];
    prop_oneof![prop::collection::vec(any::<u8>(), 0..longest), prop::collection::vec(byte, 0..longest)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn tokenizer(bytes in inputs(200)) {
        fuzz::tokenizer::tokenizer(&bytes);
    }

    #[test]
    fn definition(bytes in inputs(600)) {
        fuzz::definition::definition(&bytes);
    }

    #[test]
    fn artifact(bytes in inputs(300)) {
        fuzz::artifact::artifact(&bytes);
    }

    #[test]
    fn compiled(bytes in inputs(300)) {
        fuzz::compiled::compiled(&bytes);
    }
}

#[test]
fn the_checksum_is_that_of_the_format() {
    let (mut form, _) = fuzz::compiled::valid();
    let stored = fuzz::checksum::stored(&form);
    assert_eq!(fuzz::checksum::checksum(&form), stored);
    form[5000] ^= 1;
    assert_ne!(fuzz::checksum::checksum(&form), stored);
}

/// A valid form with the given number, as 32-bit words, at a place of a section.
fn changed(section: usize, at: usize, words: &[u32]) -> Option<wldetect::Tokenizer> {
    let (mut form, _) = fuzz::compiled::valid();
    let (start, length) = fuzz::compiled::section(&form, section);
    assert!(4 * (at + words.len()) <= length);
    for (word, place) in words.iter().zip(form[start + 4 * at..].chunks_mut(4)) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    fuzz::checksum::repair(&mut form);
    let directory = tempfile::tempdir().expect("a temporary directory");
    fuzz::compiled::open(&form, directory.path())
}

const ADDED_TRIE: usize = 0;
const PAIRS: usize = 8;

#[test]
fn what_changes_nothing_is_opened() {
    assert!(changed(ADDED_TRIE, 2, &[u32::MAX]).is_some());
}

/// A byte that only begins a character must not be taken for a token: the next would begin inside of one.
#[test]
fn added_tokens_end_where_characters_do() -> wldetect::Result<()> {
    let (form, _) = fuzz::compiled::valid();
    let (start, length) = fuzz::compiled::section(&form, ADDED_TRIE);
    let words: Vec<u32> =
        form[start..start + length].chunks(4).map(|word| u32::from_ne_bytes(word.try_into().expect("four"))).collect();
    let node = words.chunks(4).position(|node| node[3] == 0xC3).expect("the first byte of an added token");
    let child = words[4 * node] as usize;
    // The id moves from the node of the last byte to that of the first; what lies between stays.
    let mut ids = words[4 * node + 2..=4 * child + 2].to_vec();
    let id = ids.pop().expect("the other's");
    ids[0] = id;
    ids.push(u32::MAX);
    let tokenizer = changed(ADDED_TRIE, 4 * node + 2, &ids).expect("it looks right");
    let whole = fuzz::tokenizer::sample();
    assert_eq!(tokenizer.encode("aé", 9)?, ["a", "é"].map(|piece| whole.id(piece)));
    Ok(())
}

/// What stands beside a unit is no symbol; a merge with it would go on without end.
#[test]
fn pairs_of_what_is_no_symbol_are_refused() {
    const NO_SYMBOL: u64 = (1 << 21) - 1;
    let slot = |left: u64, right: u64, product: u64| {
        let slot = left << 42 | right << 21 | product;
        changed(PAIRS, 0, &bytemuck::cast::<_, [u32; 2]>(slot))
    };
    assert!(slot(5, 6, 7).is_some());
    assert!(slot(NO_SYMBOL, 6, 7).is_none());
    assert!(slot(5, NO_SYMBOL, 7).is_none());
}

/// Tables that are indexed with ids must not be made for ids that are refused.
#[test]
fn far_ids_take_no_memory() -> wldetect::Result<()> {
    let mut json = fuzz::tokenizer::sample().json();
    json["model"]["vocab"]["ab"] = (u32::MAX - 1).into();
    let tokenizer = wldetect::Tokenizer::from_json(json.to_string().as_bytes())?;
    assert!(tokenizer.fallback_reason().is_some_and(|reason| reason.starts_with("model.vocab: expected ids below")));
    assert_eq!(tokenizer.encode("ab", 9)?, [u32::MAX - 1]);
    Ok(())
}
