//! Texts for one definition: the native path against the `tokenizers` library.

use std::cell::RefCell;

use wldetect::Tokenizer;
use wldetect::tokenizer::Scratch;

use super::definitions::Definition;

/// A definition read twice, and what encoding natively leaves for the next text.
pub struct Pair {
    reference: tokenizers::Tokenizer,
    ours: Tokenizer,
    scratch: Scratch,
}

impl Pair {
    /// `None` where the library refuses the definition; then this crate must refuse it too.
    pub fn new(json: &str) -> Option<Self> {
        let ours = Tokenizer::from_json(json.as_bytes());
        // On some definitions the library panics, as this crate must not.
        let read = std::panic::catch_unwind(|| tokenizers::Tokenizer::from_bytes(json).ok());
        let Ok(Some(reference)) = read else {
            assert!(ours.is_err(), "the library refuses {json}");
            return None;
        };
        let ours = ours.unwrap_or_else(|error| panic!("the library takes {json}: {error}"));
        assert_eq!(ours.vocab_size(), reference.get_vocab_size(true), "{json}");
        Some(Self { reference, ours, scratch: Scratch::default() })
    }

    pub fn is_native(&self) -> bool {
        self.ours.fallback_reason().is_none()
    }

    /// All ids of `text`, and the first half, in scratch space that other texts have used.
    pub fn check(&mut self, text: &str) {
        let Ok(encoding) = self.reference.encode_fast(text, false) else {
            assert!(self.ours.encode(text, usize::MAX).is_err(), "the library refuses {text:?}");
            return;
        };
        let expected = encoding.get_ids();
        let mut ids = vec![7];
        let all = self.ours.encode_into(text, usize::MAX, &mut self.scratch, &mut ids);
        assert!(all.is_ok(), "{text:?}");
        assert_eq!(&ids[1..], expected, "{text:?}");
        let half = expected.len().div_ceil(2);
        ids.clear();
        let some = self.ours.encode_into(text, half, &mut self.scratch, &mut ids);
        assert!(some.is_ok(), "{text:?}");
        assert_eq!(ids, expected[..half], "{half} of {text:?}");
    }
}

/// Words, runs of spaces and of letters, merges whose products are not in the order of their ids, and added tokens
/// that begin alike, stand in words, or are runs of what the normalizer writes.
pub fn sample() -> Definition {
    let merges = [
        ("a", "b"),
        ("▁", "ab"),
        ("ab", "c"),
        ("▁", "▁"),
        ("b", "c"),
        ("a", "a"),
        ("aa", "aa"),
        ("▁▁", "▁▁"),
        (">", "▁"),
        ("c", "é"),
        ("aaaa", "aaaa"),
        ("aaaaaaaa", "aaaaaaaa"),
    ];
    let added = ["<s>", "\n", "\n\n", "▁▁", "<", "[x]", "ab c", "<eé", "é"];
    let mut definition = Definition::new("abc▁<>\né", &merges, &added);
    // Ids stay; ranks do not follow them any more.
    definition.merges.swap(0, 4);
    definition.merges.swap(3, 7);
    definition
}

/// The first byte says how often the text of the others is repeated: units may be longer than is looked at together.
pub fn tokenizer(data: &[u8]) {
    thread_local! {
        static PAIR: RefCell<Pair> = RefCell::new(Pair::new(&sample().json().to_string()).expect("a definition"));
    }
    let (&times, text) = data.split_first().unwrap_or((&0, &[]));
    let text = String::from_utf8_lossy(text);
    let times = if text.len() < 100 { 1 << (times % 10) } else { 1 };
    PAIR.with_borrow_mut(|pair| {
        assert!(pair.is_native());
        pair.check(&text.repeat(times));
    });
}
