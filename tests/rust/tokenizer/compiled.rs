//! The compiled form: gives the same ids, is made anew when it is not as it should be, and is never believed blindly.

use std::path::Path;

use proptest::prelude::*;
use sha2::{Digest, Sha256};
use wldetect::tokenizer::{COMPILED_FILE, Scratch, TOKENIZER_FILE, Tokenizer};

use super::definition::{Definition, definitions, texts};
use super::{ALL, library, library_ids, native, sample};

fn directory_of(definition: &Definition) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let json = definition.json().to_string();
    std::fs::write(directory.path().join(TOKENIZER_FILE), &json).expect("room");
    let sha256 = Sha256::digest(&json).iter().map(|byte| format!("{byte:02x}")).collect();
    (directory, sha256)
}

fn read(directory: &Path, name: &str) -> Vec<u8> {
    std::fs::read(directory.join(name)).expect("a file")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn ids_are_the_same_whatever_was_encoded_before(
        definition in definitions(),
        texts in prop::collection::vec(texts(), 1..30),
    ) {
        let (directory, sha256) = directory_of(&definition);
        let made = Tokenizer::open(directory.path(), &sha256)?;
        std::fs::remove_file(directory.path().join(TOKENIZER_FILE))?;
        let mapped = Tokenizer::open(directory.path(), &sha256)?;
        prop_assert_eq!((mapped.vocab_size(), mapped.sha256()), (made.vocab_size(), sha256.as_str()));
        let reference = library(&definition.json());
        let mut scratch = Scratch::default();
        for text in texts.iter().chain(&texts) {
            let mut ids = vec![7];
            mapped.encode_into(text, ALL, &mut scratch, &mut ids)?;
            prop_assert_eq!(&ids[1..], library_ids(&reference, text), "{:?}", text);
            prop_assert_eq!(&ids[1..], made.encode(text, ALL)?);
        }
    }

    /// Longer than what is looked at together, so that the beginning is found without the end.
    #[test]
    fn ids_of_very_long_units_equal_the_library(
        definition in super::dense_definitions(),
        word in prop::collection::vec(prop::sample::select(vec!['a', 'b', ' ']), 1..40).prop_map(String::from_iter),
        repeats in 200..600_usize,
        end in super::dense_texts(),
    ) {
        let definition = Definition { added: Vec::new(), ..definition };
        let text = word.repeat(repeats) + &end;
        let expected = library_ids(&library(&definition.json()), &text);
        let tokenizer = native(&definition);
        prop_assert_eq!(&tokenizer.encode(&text, ALL)?, &expected);
        prop_assert_eq!(&tokenizer.encode(&text, 9)?, &expected[..expected.len().min(9)]);
    }
}

#[test]
fn one_scratch_serves_many_tokenizers() {
    let mut scratch = Scratch::default();
    let tokenizers = [sample(), Definition::new("abc▁", &[("b", "c"), ("a", "bc")], &[])].map(|one| native(&one));
    for text in ["cab", "abcabc", "cab", " abab", "cab"].repeat(3) {
        for tokenizer in &tokenizers {
            let mut ids = Vec::new();
            tokenizer.encode_into(text, ALL, &mut scratch, &mut ids).expect("ids");
            assert_eq!(ids, tokenizer.encode(text, ALL).expect("ids"), "{text:?}");
        }
    }
}

#[test]
fn the_compiled_form_is_written_once_and_then_read() {
    let (directory, sha256) = directory_of(&sample());
    let compiled = directory.path().join(COMPILED_FILE);
    assert!(!compiled.exists());
    Tokenizer::open(directory.path(), &sha256).expect("a definition");
    let first = read(directory.path(), COMPILED_FILE);
    std::fs::remove_file(&compiled).expect("it is there");
    Tokenizer::open(directory.path(), &sha256).expect("a definition");
    assert_eq!(read(directory.path(), COMPILED_FILE), first, "the same definition gives the same bytes");
    assert_eq!(std::fs::read_dir(directory.path()).expect("a directory").count(), 2, "no temporary file is left");
}

#[test]
fn without_a_definition_the_compiled_form_is_what_is_wrong() {
    let (directory, sha256) = directory_of(&sample());
    let (definition, compiled) = (directory.path().join(TOKENIZER_FILE), directory.path().join(COMPILED_FILE));
    Tokenizer::open(directory.path(), &sha256).expect("a definition");
    std::fs::remove_file(&definition).expect("it is there");
    let refused = |sha256: &str| match Tokenizer::open(directory.path(), sha256) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("expected an error"),
    };
    let named =
        |reason: &str| format!("{}: {reason}; found no tokenizer.json to make it from again", compiled.display());
    assert_eq!(refused(&"0".repeat(64)), named("made from another tokenizer.json"));
    assert_eq!(refused("abc"), named("made for no SHA-256, \"abc\""));
    let mut bytes = read(directory.path(), COMPILED_FILE);
    bytes[300] ^= 1;
    std::fs::write(&compiled, &bytes).expect("room");
    assert!(refused(&sha256).starts_with(&format!("{}: checksum: expected 0x", compiled.display())));
    // Nothing is there at all: what is missing is the definition.
    std::fs::remove_file(&compiled).expect("it is there");
    assert!(refused(&sha256).starts_with(&format!("{}: ", definition.display())));
}

#[test]
fn many_may_load_for_the_first_time_at_once() {
    let (directory, sha256) = directory_of(&sample());
    let expected = native(&sample()).encode("ab abc<s>", ALL).expect("ids");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let tokenizer = Tokenizer::open(directory.path(), &sha256).expect("a definition");
                    assert_eq!(tokenizer.encode("ab abc<s>", ALL).expect("ids"), expected);
                    // Gone already if another was faster.
                    let _ = std::fs::remove_file(directory.path().join(COMPILED_FILE));
                }
            });
        }
    });
    Tokenizer::open(directory.path(), &sha256).expect("a definition");
    assert_eq!(std::fs::read_dir(directory.path()).expect("a directory").count(), 2, "no temporary file is left");
}

#[test]
fn what_is_not_as_it_should_be_is_written_anew() {
    let (directory, sha256) = directory_of(&sample());
    let compiled = directory.path().join(COMPILED_FILE);
    let open = || Tokenizer::open(directory.path(), &sha256).expect("a definition");
    let expected = open().encode("ab abc<s>", ALL).expect("ids");
    let whole = read(directory.path(), COMPILED_FILE);
    let spoilt_at = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        bytes
    };
    let other = {
        let (directory, sha256) = directory_of(&Definition::new("xyz", &[("x", "y")], &[]));
        Tokenizer::open(directory.path(), &sha256).expect("a definition");
        read(directory.path(), COMPILED_FILE)
    };
    // Words of the header and every hundredth byte behind; ends anywhere.
    let spoilt = (0..400).step_by(8).chain((400..whole.len()).step_by(997)).map(spoilt_at);
    let cut = [0, 1, 7, 8, 100, 335, whole.len() / 2, whole.len() - 1].map(|end| whole[..end].to_vec());
    for bytes in spoilt.chain(cut).chain([other, [&whole[..], b"more"].concat(), b"not this".repeat(100)]) {
        std::fs::write(&compiled, &bytes).expect("room");
        assert_eq!(open().encode("ab abc<s>", ALL).expect("ids"), expected);
        assert_eq!(read(directory.path(), COMPILED_FILE), whole);
    }
}

#[test]
fn without_the_definition_a_spoilt_form_is_an_error() {
    let (directory, sha256) = directory_of(&sample());
    Tokenizer::open(directory.path(), &sha256).expect("a definition");
    std::fs::remove_file(directory.path().join(TOKENIZER_FILE)).expect("it is there");
    Tokenizer::open(directory.path(), &sha256).expect("the compiled form");
    std::fs::write(directory.path().join(COMPILED_FILE), b"spoilt").expect("room");
    let error = Tokenizer::open(directory.path(), &sha256).err().expect("nothing to read").to_string();
    assert!(error.contains(TOKENIZER_FILE), "{error}");
}

#[test]
fn what_the_library_encodes_has_no_compiled_form() {
    let mut json = sample().json();
    json["normalizer"] = serde_json::Value::Null;
    let tokenizer = Tokenizer::from_json(json.to_string().as_bytes()).expect("a definition");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join(COMPILED_FILE);
    assert!(!tokenizer.save_compiled(&path).expect("nothing to write"));
    assert!(!path.exists());
}

/// Units of many megabytes cost what their first tokens cost, in time and in memory.
#[test]
fn a_unit_without_end_costs_no_more_than_its_first_tokens() {
    let tokenizer = native(&sample());
    let text = "a".repeat(100 << 20);
    let aaaa = native(&sample()).encode("aaaa", ALL).expect("ids");
    for length in [1, 512, 5000] {
        assert_eq!(tokenizer.encode(&text, length).expect("ids"), aaaa.repeat(length));
    }
}
