//! Text to language end to end, by length of text and number of threads; and loading a model.
//!
//! The model is made here, as large as a real one (Gemma-style BPE, 148 languages) and of made-up words: frequent words
//! are pieces of the vocabulary, rare ones are merged from several. Each batch is of about a megabyte of texts, all of
//! them different, so that rows are read from all over the table, frequent ones more often, as in real text.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use safetensors::tensor::Dtype;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use wldetect::tokenizer::TOKENIZER_FILE;
use wldetect::{DType, Detector, Features, Format, Pooling};

#[allow(dead_code)] // The tests spoil more of a model.
#[path = "../tests/rust/artifact/model.rs"]
mod model;
#[allow(dead_code)] // The tests compare more of the answer.
#[path = "../tests/rust/oracle/pooling.rs"]
mod oracle;

use model::{TableFile, sha256, write};

const FORMAT: Format = Format::E3M4;
const E3M4: DType = DType::Fp8(FORMAT);
const COLUMNS: usize = 148;
const SCALE: f32 = 0.75;
/// Words of three syllables that are pieces.
const LONG_WORDS: usize = 90_000;
/// Bytes of a text: a word, a sentence, a paragraph, a page.
const LENGTHS: [usize; 4] = [10, 100, 1000, 10_000];
/// Bytes of a batch.
const BATCH: usize = 1 << 20;
const THREADS: [usize; 2] = [1, 2];
/// Texts of each length whose answers are compared with the oracle's.
const CHECKED: usize = 20;

/// Xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    /// A number below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// The words that are pieces, frequent ones first, and how each is made: the merges of a vocabulary in order of rank.
struct Vocabulary {
    words: Vec<String>,
    merges: Vec<[String; 2]>,
}

impl Vocabulary {
    fn new(random: &mut Random) -> Self {
        let (mut words, mut merges) = (Vec::new(), Vec::new());
        let mut merge = |left: &str, right: &str, words: &mut Vec<String>| {
            merges.push([left.to_owned(), right.to_owned()]);
            words.push([left, right].concat());
        };
        for consonant in "bcdfghjklmnpqrstvwxz".chars().map(String::from) {
            for vowel in ["a", "e", "i", "o", "u"] {
                merge(&consonant, vowel, &mut words);
            }
        }
        let syllables = words.clone();
        for first in &syllables {
            for second in &syllables {
                merge(first, second, &mut words);
            }
        }
        let pairs = words.len() - syllables.len();
        let mut longer: Vec<(usize, usize)> =
            (0..LONG_WORDS).map(|_| (syllables.len() + random.below(pairs), random.below(syllables.len()))).collect();
        longer.sort_unstable();
        longer.dedup();
        for (pair, syllable) in longer {
            let pair = words[pair].clone();
            merge(&pair, &syllables[syllable], &mut words);
        }
        for last in (1..words.len()).rev() {
            words.swap(last, random.below(last + 1));
        }
        // As in text: a word mostly follows a space.
        merges.extend(words.iter().map(|word| ["▁".to_owned(), word.clone()]));
        Self { words, merges }
    }

    fn tokenizer_json(&self) -> (String, usize) {
        let bytes = (0..=255).map(|byte: u8| format!("<0x{byte:02X}>"));
        let letters = "▁abcdefghijklmnopqrstuvwxyz".chars().map(String::from);
        let made = self.merges.iter().map(|merge| merge.concat());
        let vocab: Map<String, Value> =
            bytes.chain(letters).chain(made).enumerate().map(|(id, piece)| (piece, id.into())).collect();
        let rows = vocab.len();
        let definition = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
            "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            "pre_tokenizer": null, "post_processor": null, "decoder": null,
            "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
                "vocab": vocab, "merges": self.merges},
        });
        (definition.to_string(), rows)
    }

    /// A text of `length` bytes. Low numbers are drawn more often; one word in ten is two without a space.
    fn text(&self, random: &mut Random, length: usize) -> String {
        let mut text = String::with_capacity(length + 20);
        while text.len() < length {
            let most = random.below(self.words.len()) + 1;
            text.push_str(&self.words[random.below(most)]);
            if random.below(10) > 0 {
                text.push(' ');
            }
        }
        text.truncate(length);
        text
    }
}

/// Random logits: any finite value of the format.
fn table_bytes(random: &mut Random, rows: usize) -> Vec<u8> {
    let finite: Vec<u8> = (0..=255).filter(|&code| FORMAT.is_finite(code)).collect();
    (0..rows * COLUMNS).map(|_| finite[random.below(finite.len())]).collect()
}

fn write_model(directory: &Path, tokenizer: &str, rows: usize, table: &[u8]) {
    let languages: Vec<String> = (0..COLUMNS).map(|column| format!("l{column:02}_Latn")).collect();
    TableFile::valid(E3M4)
        .tensor("lookup_table", Dtype::U8, &[rows, COLUMNS], table)
        .tensor("shape", Dtype::I64, &[2], [rows as i64, COLUMNS as i64].map(i64::to_le_bytes).concat())
        .tensor("scale", Dtype::F32, &[1], SCALE.to_le_bytes())
        .without_tensor("zero_weight_mask")
        .key("languages", &format!("{languages:?}"))
        .key("tokenizer_sha256", &sha256(tokenizer))
        .write(directory);
    write(directory, TOKENIZER_FILE, tokenizer.as_bytes());
}

/// Fails unless the answers are those of the `tokenizers` library and of pooling in `f64`.
fn check(detector: &Detector, library: &tokenizers::Tokenizer, table: &[u8], texts: &[String]) {
    let row = |id: u32| {
        let codes = &table[id as usize * COLUMNS..][..COLUMNS];
        Some(codes.iter().map(|&code| f64::from(FORMAT.decode(code)) * f64::from(SCALE)).collect())
    };
    for text in texts {
        let encoding = library.encode_fast(text.as_str(), false).expect("a text of known letters");
        let ids = encoding.get_ids();
        let ids = &ids[..ids.len().min(detector.metadata().max_sequence_length)];
        let logits = oracle::pool(row, ids, Pooling::Average).expect("every id has a row");
        let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
        let expected: Vec<f64> = logits.iter().map(|logit| logit.exp() / sum).collect();
        let found = detector.probabilities(text).expect("a text of known letters").expect("a row");
        oracle::assert_close(&found, &expected, 0.0);
        let detection = detector.detect(text).expect("a text of known letters").detection().expect("a row");
        let best = (0..COLUMNS).rev().max_by(|&a, &b| found[a].total_cmp(&found[b])).expect("a column");
        assert_eq!((detection.language, detection.probability), (best, found[best]));
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(10)
        .configure_from_args();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let vocabulary = Vocabulary::new(&mut random);
    let (tokenizer, rows) = vocabulary.tokenizer_json();
    let table = table_bytes(&mut random, rows);
    let directory = TempDir::new().expect("a temporary directory");
    write_model(directory.path(), &tokenizer, rows, &table);
    let detector = Detector::load(directory.path(), E3M4, Features::All).expect("a valid model");
    assert_eq!(detector.tokenizer().fallback_reason(), None);
    let library = tokenizers::Tokenizer::from_bytes(&tokenizer).expect("a definition that the library takes");

    for length in LENGTHS {
        let texts: Vec<String> = (0..BATCH / length).map(|_| vocabulary.text(&mut random, length)).collect();
        check(&detector, &library, &table, &texts[..CHECKED.min(texts.len())]);
        let single: Vec<_> = texts.iter().map(|text| detector.detect(text).expect("known letters")).collect();

        let mut group = criterion.benchmark_group(format!("detect/{length} bytes"));
        group.throughput(Throughput::ElementsAndBytes {
            elements: texts.len() as u64,
            bytes: (texts.len() * length) as u64,
        });
        let (mut labels, mut probabilities) = (vec![0; texts.len()], vec![0.0; texts.len()]);
        for threads in THREADS {
            assert_eq!(detector.detect_batch(&texts, Some(threads)).expect("known letters"), single);
            group.bench_function(format!("{threads} threads"), |bencher| {
                bencher.iter(|| {
                    let (labels, probabilities) = (black_box(&mut labels), black_box(&mut probabilities));
                    detector.detect_batch_into(black_box(&texts), Some(threads), labels, probabilities, &mut || false)
                });
            });
        }
        group.finish();
    }

    let mut group = criterion.benchmark_group("load");
    group.bench_function("e3m4, page cache warm", |bencher| {
        bencher.iter(|| Detector::load(black_box(directory.path()), E3M4, Features::All).expect("a valid model"));
    });
    group.finish();
    criterion.final_summary();
}
