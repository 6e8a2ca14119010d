//! What a `tokenizer.json` says, and whether the native path encodes it exactly.
//!
//! Every check here can fail, and a failure is no error: the `tokenizers` library then does the encoding. Nothing is
//! concluded from a model's name.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasherDefault;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde_json::{Value, json};
use tokenizers::{DecoderWrapper, PostProcessorWrapper};

use super::hash::FoldHasher;

/// What the normalizer writes for a space, U+2581.
pub(super) const SPACE_MARK: char = '\u{2581}';

/// Stands for "no id" in tables of ids; a vocabulary that uses it is refused.
pub(super) const NO_ID: u32 = u32::MAX;

/// Pieces to ids.
type Vocab<'a> = HashMap<Text<'a>, u32, BuildHasherDefault<FoldHasher>>;

/// A definition that the native path encodes exactly.
pub(super) struct Definition<'a> {
    /// No two share an id.
    pub pieces: Vocab<'a>,
    /// The merges in order of rank.
    pub merges: Vec<Merge<'a>>,
    /// Ids of the pieces `<0x00>` to `<0xFF>`, which no merge touches.
    pub byte_ids: [u32; 256],
    /// Added tokens, none empty, with ids as the library assigns them; both are distinct.
    pub added: Vec<(Text<'a>, u32)>,
    /// As [`super::Tokenizer::vocab_size`].
    pub vocab_size: usize,
}

/// `left` followed by `right` becomes `product`. The place in the list is the rank.
pub(super) struct Merge<'a> {
    pub left: u32,
    pub right: u32,
    pub product: u32,
    pub left_text: Text<'a>,
    pub right_text: Text<'a>,
}

/// Why the native path does not take a definition, in one line.
pub(super) type Refusal = String;

impl<'a> Definition<'a> {
    /// Reads `json` and checks it.
    pub(super) fn parse(json: &'a [u8]) -> Result<Self, Refusal> {
        let file: File<'a> = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        check_pipeline(&file)?;
        let model = file.model;
        check_model(&model)?;

        let pieces = model.vocab;
        let mut ids: Vec<u32> = pieces.values().copied().collect();
        ids.sort_unstable();
        if ids.last() == Some(&NO_ID) || ids.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("model.vocab: two pieces share an id, or one has the largest".into());
        }
        let mut byte_ids = [0; 256];
        for (byte, id) in byte_ids.iter_mut().enumerate() {
            let piece = format!("<0x{byte:02X}>");
            *id = *pieces.get(piece.as_str()).ok_or_else(|| format!("model.vocab: no {piece}"))?;
        }
        let merges = resolve_merges(&pieces, model.merges, &byte_ids)?;
        let (added, vocab_size) = resolve_added(&pieces, file.added_tokens)?;
        Ok(Self { pieces, merges, byte_ids, added, vocab_size })
    }
}

/// Unknown keys are refused: they may be settings that a later version of the library obeys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'a> {
    version: String,
    truncation: Value,
    padding: Value,
    #[serde(borrow)]
    added_tokens: Vec<AddedToken<'a>>,
    normalizer: Value,
    pre_tokenizer: Value,
    post_processor: Value,
    decoder: Value,
    model: Model<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddedToken<'a> {
    id: u32,
    #[serde(borrow)]
    content: Text<'a>,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    #[serde(rename = "special")]
    _special: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Model<'a> {
    #[serde(rename = "type")]
    kind: String,
    dropout: Option<f32>,
    // These two speak of characters that are neither pieces nor bytes: there are none.
    #[serde(rename = "unk_token")]
    _unk_token: Option<String>,
    #[serde(rename = "fuse_unk")]
    _fuse_unk: Option<bool>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    byte_fallback: Option<bool>,
    ignore_merges: Option<bool>,
    #[serde(borrow)]
    vocab: Vocab<'a>,
    #[serde(borrow)]
    merges: Vec<(Text<'a>, Text<'a>)>,
}

fn check_pipeline(file: &File<'_>) -> Result<(), Refusal> {
    let expect = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
    expect(file.version == "1.0", "version: expected \"1.0\"")?;
    expect(file.truncation.is_null(), "truncation: expected null")?;
    expect(file.padding.is_null(), "padding: expected null")?;
    let replace = json!({"type": "Replace", "pattern": {"String": " "}, "content": SPACE_MARK.to_string()});
    expect(file.normalizer == replace, "normalizer: expected a space replaced by U+2581, nothing else")?;
    // The normalizer leaves no space, so splitting at spaces leaves the text whole, whatever would become of them.
    let splits_at_space = |behavior: &str| {
        json!({"type": "Split", "pattern": {"String": " "}, "behavior": behavior, "invert": false})
            == file.pre_tokenizer
    };
    let behaviors = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"];
    let whole = file.pre_tokenizer.is_null() || behaviors.into_iter().any(splits_at_space);
    expect(whole, "pre_tokenizer: expected null or a split at spaces")?;
    // Without special tokens a template is what becomes of its sequences: here, the one that goes in.
    if !file.post_processor.is_null() {
        let template = file.post_processor.get("single").and_then(Value::as_array);
        let sequences: Vec<_> = template.into_iter().flatten().filter_map(|piece| piece.get("Sequence")).collect();
        let once = matches!(sequences[..], [sequence] if sequence.get("id") == Some(&json!("A")));
        let kind = &file.post_processor["type"];
        expect(kind == "TemplateProcessing" && once, "post_processor: expected null or a template with one sequence")?;
        PostProcessorWrapper::deserialize(&file.post_processor).map_err(|error| format!("post_processor: {error}"))?;
    }
    // It has no say in the ids, but the library would refuse a decoder that it does not know, and so must this path.
    Option::<DecoderWrapper>::deserialize(&file.decoder).map_err(|error| format!("decoder: {error}"))?;
    Ok(())
}

fn check_model(model: &Model<'_>) -> Result<(), Refusal> {
    let refused = [
        (model.kind != "BPE", "type: expected \"BPE\""),
        (model.dropout.is_some(), "dropout: expected null"),
        (model.continuing_subword_prefix.is_some(), "continuing_subword_prefix: expected null"),
        (model.end_of_word_suffix.is_some(), "end_of_word_suffix: expected null"),
        (model.byte_fallback != Some(true), "byte_fallback: expected true"),
        (model.ignore_merges == Some(true), "ignore_merges: expected false"),
    ];
    match refused.into_iter().find(|(refused, _)| *refused) {
        Some((_, what)) => Err(format!("model.{what}")),
        None => Ok(()),
    }
}

fn resolve_merges<'a>(
    pieces: &Vocab<'a>,
    merges: Vec<(Text<'a>, Text<'a>)>,
    byte_ids: &[u32; 256],
) -> Result<Vec<Merge<'a>>, Refusal> {
    let id = |piece: &str| pieces.get(piece).copied().ok_or_else(|| format!("model.merges: {piece:?} is no piece"));
    let mut byte_ids = *byte_ids;
    byte_ids.sort_unstable();
    let mut joined = String::new();
    let resolve = |(left_text, right_text): (Text<'a>, Text<'a>)| {
        if left_text.is_empty() || right_text.is_empty() {
            return Err("model.merges: a part is empty".to_owned());
        }
        joined.clear();
        joined.push_str(&left_text);
        joined.push_str(&right_text);
        let (left, right, product) = (id(&left_text)?, id(&right_text)?, id(&joined)?);
        // Cutting at characters that are not pieces rests on this.
        if byte_ids.binary_search(&left).is_ok() || byte_ids.binary_search(&right).is_ok() {
            return Err(format!("model.merges: {joined:?} is made of a byte piece"));
        }
        Ok(Merge { left, right, product, left_text, right_text })
    };
    let merges: Vec<_> = merges.into_iter().map(resolve).collect::<Result<_, _>>()?;
    if merges.len() >= NO_ID as usize {
        return Err("model.merges: too many".into());
    }
    Ok(merges)
}

/// The added tokens with their ids, and the number of ids in all.
fn resolve_added<'a>(
    pieces: &Vocab<'a>,
    tokens: Vec<AddedToken<'a>>,
) -> Result<(Vec<(Text<'a>, u32)>, usize), Refusal> {
    let mut vocab_size = pieces.len();
    let mut added = Vec::with_capacity(tokens.len());
    for token in tokens {
        let content = token.content;
        if content.is_empty() || token.single_word || token.lstrip || token.rstrip || token.normalized {
            return Err(format!("added_tokens: {:?} is not matched as it stands", &*content));
        }
        // The library keeps the id of a piece, and numbers others on from the pieces; "id" is only a hint to it.
        let id = match pieces.get(&*content) {
            Some(&id) => id,
            None => {
                vocab_size += 1;
                u32::try_from(vocab_size - 1).map_err(|error| error.to_string())?
            }
        };
        if id != token.id {
            return Err(format!("added_tokens: {:?} has id {}, expected {id}", &*content, token.id));
        }
        added.push((content, id));
    }
    let mut ids: Vec<u32> = added.iter().map(|(_, id)| *id).collect();
    let mut contents: Vec<&str> = added.iter().map(|(content, _)| &**content).collect();
    ids.sort_unstable();
    contents.sort_unstable();
    if ids.windows(2).any(|pair| pair[0] == pair[1]) || contents.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("added_tokens: one stands twice".into());
    }
    Ok((added, vocab_size))
}

/// A JSON string, borrowed from the file unless it holds an escape: a million strings are not worth a million copies.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Text<'a>(Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Text<'_> {
    fn borrow(&self) -> &str {
        self
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}
