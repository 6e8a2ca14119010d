//! Ids equal those of the `tokenizers` library, on the native path and on the other.

#[path = "tokenizer/compiled.rs"]
mod compiled;
#[path = "tokenizer/definition.rs"]
mod definition;
#[path = "oracle/tokenizer.rs"]
mod oracle;
#[path = "tokenizer/real.rs"]
mod real;

use std::time::{Duration, Instant};

use definition::{Definition, definitions, dense_definitions, dense_texts, texts};
use proptest::prelude::*;
use serde_json::{Value, json};
use wldetect::Tokenizer;

const ALL: usize = usize::MAX;

fn library(json: &Value) -> tokenizers::Tokenizer {
    tokenizers::Tokenizer::from_bytes(json.to_string()).expect("a definition that the library takes")
}

fn ours(json: &Value) -> Tokenizer {
    Tokenizer::from_json(json.to_string().as_bytes()).expect("a definition that the library takes")
}

fn native(definition: &Definition) -> Tokenizer {
    let tokenizer = ours(&definition.json());
    assert_eq!(tokenizer.fallback_reason(), None);
    tokenizer
}

fn library_ids(tokenizer: &tokenizers::Tokenizer, text: &str) -> Vec<u32> {
    tokenizer.encode_fast(text, false).expect("a text that the library takes").get_ids().to_vec()
}

/// Words, runs of spaces, and a few added tokens.
fn sample() -> Definition {
    let merges = [("a", "b"), ("▁", "ab"), ("ab", "c"), ("▁", "▁"), ("b", "c"), ("a", "a"), ("aa", "aa"), (">", "▁")];
    Definition::new("abc▁<>\n", &merges, &["<s>", "\n", "\n\n", "▁▁", "<", "[x]", "ab c"])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn ids_equal_the_library_and_the_oracle(
        definition in definitions(),
        texts in prop::collection::vec(texts(), 1..12),
    ) {
        let (reference, tokenizer) = (library(&definition.json()), native(&definition));
        prop_assert_eq!(tokenizer.vocab_size(), reference.get_vocab_size(true));
        for text in texts.iter().chain(&definition.pieces[256..]).chain(&definition.added) {
            let expected = library_ids(&reference, text);
            prop_assert_eq!(&tokenizer.encode(text, ALL)?, &expected, "library on {:?}", text);
            // The oracle takes cubic time.
            if text.len() < 200 {
                prop_assert_eq!(&oracle::encode(&definition, text), &expected, "oracle on {:?}", text);
            }
        }
    }

    #[test]
    fn ids_of_long_units_equal_the_library(
        definition in dense_definitions(),
        texts in prop::collection::vec(dense_texts(), 1..6),
    ) {
        // Added tokens would cut the units.
        let definition = Definition { added: Vec::new(), ..definition };
        let (reference, tokenizer) = (library(&definition.json()), native(&definition));
        for text in &texts {
            prop_assert_eq!(tokenizer.encode(text, ALL)?, library_ids(&reference, text), "{:?}", text);
        }
    }

    #[test]
    fn truncated_ids_are_the_first(definition in definitions(), text in texts()) {
        let tokenizer = native(&definition);
        let all = tokenizer.encode(&text, ALL)?;
        for length in (0..20).chain([all.len().saturating_sub(1), all.len(), all.len() + 1]) {
            prop_assert_eq!(&tokenizer.encode(&text, length)?, &all[..length.min(all.len())]);
        }
    }
}

#[test]
fn known_texts() -> wldetect::Result<()> {
    let definition = sample();
    let tokenizer = native(&definition);
    let ids = |pieces: &[&str]| -> Vec<u32> {
        let id = |piece: &&str| {
            if definition.added.iter().any(|token| token == piece) {
                definition.added_id(piece)
            } else {
                definition.id(piece)
            }
        };
        pieces.iter().map(id).collect()
    };
    // A literal run of U+2581 is an added token, a run of spaces a piece.
    for (text, pieces) in [
        ("", &[][..]),
        ("ab abc", &["ab", "▁ab", "c"]),
        ("\u{2581}ab", &["▁ab"]),
        ("aaaaa", &["aaaa", "a"]),
        ("\n\n\n", &["\n\n", "\n"]),
        ("<s><s", &["<s>", "<", "<0x73>"]),
        ("[x][x", &["[x]", "<0x5B>", "<0x78>"]),
        ("ab c", &["ab c"]),
        (" \u{2581}\u{2581}b", &["▁", "▁▁", "b"]),
        ("é", &["<0xC3>", "<0xA9>"]),
        (">  ", &[">", "▁▁"]),
    ] {
        let expected = ids(pieces);
        assert_eq!(tokenizer.encode(text, ALL)?, expected, "{text:?}");
        assert_eq!(library_ids(&library(&definition.json()), text), expected, "{text:?}");
    }
    Ok(())
}

#[test]
fn a_space_without_a_piece_is_three_bytes() -> wldetect::Result<()> {
    let definition = Definition::new("a", &[], &[]);
    let expected = ["<0xE2>", "<0x96>", "<0x81>", "a"].map(|piece| definition.id(piece));
    assert_eq!(native(&definition).encode(" a", ALL)?, expected);
    assert_eq!(library_ids(&library(&definition.json()), " a"), expected);
    Ok(())
}

#[test]
fn long_units_take_no_quadratic_time() -> wldetect::Result<()> {
    let definition = sample();
    let (reference, tokenizer) = (library(&definition.json()), native(&definition));
    let text = format!("b{}c", "a".repeat(1 << 18));
    assert_eq!(tokenizer.encode(&text, ALL)?, library_ids(&reference, &text));
    Ok(())
}

#[test]
fn a_long_text_costs_no_more_than_its_first_tokens() -> wldetect::Result<()> {
    let tokenizer = native(&sample());
    let text = "ab abc\n".repeat(1_500_000);
    let begun = Instant::now();
    // Going through all of it each time would take minutes.
    for _ in 0..2000 {
        assert_eq!(tokenizer.encode(&text, 16)?.len(), 16);
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    Ok(())
}

#[test]
fn what_the_checks_refuse_goes_to_the_library() -> wldetect::Result<()> {
    let post_processor = json!({"type": "TemplateProcessing", "pair": [], "special_tokens": {},
        "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]});
    let split = json!({"type": "Split", "pattern": {"String": " "}, "behavior": "Removed", "invert": true});
    let bpe_prefix = json!({"type": "Sequence", "normalizers": []});
    let cases = [
        ("/normalizer", json!(null), "normalizer: "),
        ("/normalizer", bpe_prefix, "normalizer: "),
        ("/normalizer/content", json!("_"), "normalizer: "),
        ("/normalizer/pattern", json!({"Regex": " "}), "normalizer: "),
        ("/pre_tokenizer", split, "pre_tokenizer: "),
        ("/pre_tokenizer/pattern/String", json!("a"), "pre_tokenizer: "),
        ("/post_processor", post_processor, "post_processor: "),
        ("/model/dropout", json!(0.5), "model.dropout: "),
        ("/model/byte_fallback", json!(false), "model.byte_fallback: "),
        ("/model/ignore_merges", json!(true), "model.ignore_merges: "),
        ("/model/end_of_word_suffix", json!("c"), "model.end_of_word_suffix: "),
        ("/model/vocab/a", json!(256 + 1), "model.vocab: two pieces share an id"),
        ("/added_tokens/0/lstrip", json!(true), "added_tokens: \"<s>\""),
        ("/added_tokens/0/rstrip", json!(true), "added_tokens: \"<s>\""),
        ("/added_tokens/0/normalized", json!(true), "added_tokens: \"<s>\""),
        ("/added_tokens/0/single_word", json!(true), "added_tokens: \"<s>\""),
        ("/added_tokens/0/id", json!(7), "added_tokens: \"<s>\" has id 7"),
        ("/added_tokens/1/content", json!("<s>"), "added_tokens: "),
    ];
    for (pointer, value, reason) in cases {
        let mut json = sample().json();
        *json.pointer_mut(pointer).expect("a key of the definition") = value;
        let (reference, tokenizer) = (library(&json), ours(&json));
        let found = tokenizer.fallback_reason().unwrap_or("none").to_owned();
        assert!(found.starts_with(reason), "{pointer}: {found}");
        assert_eq!(tokenizer.vocab_size(), reference.get_vocab_size(true));
        // Dropout is random.
        if pointer != "/model/dropout" {
            for text in [" ab abc<s> ab\n\n c", ">  ▁▁ab c", "a"] {
                let expected = library_ids(&reference, text);
                assert_eq!(tokenizer.encode(text, ALL)?, expected, "{pointer}: {text:?}");
                assert_eq!(tokenizer.encode(text, 2)?, expected[..expected.len().min(2)], "{pointer}: {text:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn merges_of_byte_pieces_go_to_the_library() -> wldetect::Result<()> {
    let mut definition = sample();
    definition.add_merge("<0xC3>", "<0xA9>");
    let tokenizer = ours(&definition.json());
    assert!(tokenizer.fallback_reason().is_some_and(|reason| reason.contains("byte piece")));
    assert_eq!(tokenizer.encode("é", ALL)?, [definition.id("<0xC3><0xA9>")]);
    Ok(())
}

#[test]
fn what_the_library_refuses_is_an_error() {
    let mut unknown_decoder = sample().json();
    unknown_decoder["decoder"] = json!({"type": "Nonsense"});
    let mut merge_of_nothing = sample().json();
    merge_of_nothing["model"]["merges"] = json!([["q", "q"]]);
    // The library would panic on these two.
    let mut merge_to_nothing = sample().json();
    merge_to_nothing["model"]["merges"] = json!([["abc", "<0x00>"]]);
    let mut no_prefix = sample().json();
    no_prefix["model"]["continuing_subword_prefix"] = json!("####");
    for (json, spaced) in [(&merge_to_nothing, json!(["abc <0x00>"])), (&no_prefix, json!(["a b"]))] {
        let mut older = json.clone();
        older["model"]["merges"] = spaced;
        for json in [json, &older] {
            let error = Tokenizer::from_json(json.to_string().as_bytes()).err().expect("no tokenizer").to_string();
            assert!(error.starts_with("tokenizer: model.merges: \"a"), "{error}");
        }
    }
    for json in [unknown_decoder.to_string(), merge_of_nothing.to_string(), "{}".into(), String::new(), "[".into()] {
        assert!(Tokenizer::from_json(json.as_bytes()).is_err(), "{json}");
    }
}
