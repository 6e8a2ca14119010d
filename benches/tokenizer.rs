//! Tokenizing by script, and loading a tokenizer.
//!
//! The tokenizer is the file that WLDETECT_TOKENIZER names, or that of the starter model if it was trained, or else a
//! small one made here from the starter corpus. Texts are those of the starter corpus. Throughput counts bytes of
//! text. Warm: the same texts again and again. Cold: each time with empty scratch, after so much other memory was read
//! that none of the tables is left in a cache; that is more than a program that does nothing else ever sees.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput};
use serde_json::{Value, json};
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::tokenizer::Trainer;
use wldetect::tokenizer::{Scratch, TOKENIZER_FILE, Tokenizer};

const ALL: usize = usize::MAX;
/// Pieces of the tokenizer that is made here, byte pieces not counted.
const PIECES: usize = 20_000;
/// More than any cache holds.
const EVICTING: usize = 96 << 20;

const GROUPS: [(&str, &[&str]); 7] = [
    ("Latin", &["Latn"]),
    ("Cyrillic", &["Cyrl"]),
    ("Arabic", &["Arab"]),
    ("Devanagari", &["Deva"]),
    ("CJK", &["Hans", "Hant", "Jpan", "Hang"]),
    ("Thai", &["Thai"]),
    ("mixed", &[]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Sentences by label.
fn corpus() -> BTreeMap<String, Vec<String>> {
    let folder = root().join("python/wldetect/starter/corpus/train");
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let read = |path: PathBuf| {
        let label = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (label, text.lines().map(str::to_owned).collect())
    };
    files.map(|file| read(file.expect("a file").path())).collect()
}

/// Sentences of the scripts, or of all; languages take turns.
fn texts_of(corpus: &BTreeMap<String, Vec<String>>, scripts: &[&str]) -> Vec<String> {
    let wanted = |label: &str| scripts.is_empty() || scripts.iter().any(|script| label.ends_with(script));
    let languages: Vec<_> = corpus.iter().filter(|(label, _)| wanted(label)).map(|(_, texts)| texts).collect();
    let longest = languages.iter().map(|texts| texts.len()).max().unwrap_or(0);
    (0..longest).flat_map(|at| languages.iter().filter_map(move |texts| texts.get(at).cloned())).collect()
}

/// A definition with the merges that BPE training finds in the corpus.
fn small_definition(corpus: &BTreeMap<String, Vec<String>>) -> Value {
    let mut trainer = BpeTrainer::builder().vocab_size(PIECES).show_progress(false).build();
    let words = |text: &str| Ok(text.split(' ').map(|word| format!("\u{2581}{word}")).collect());
    trainer.feed(corpus.values().flatten(), words).expect("text");
    let mut model = BPE::default();
    trainer.train(&mut model).expect("words");
    let mut model = serde_json::to_value(&model).expect("a model");
    let vocab = model["vocab"].as_object_mut().expect("a vocabulary");
    let first = vocab.len();
    (0..256).for_each(|byte| _ = vocab.insert(format!("<0x{byte:02X}>"), json!(first + byte)));
    model["byte_fallback"] = json!(true);
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "pre_tokenizer": null,
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u{2581}"},
        "post_processor": null, "decoder": null, "model": model,
    })
}

fn definition(corpus: &BTreeMap<String, Vec<String>>) -> (String, Vec<u8>) {
    let named = std::env::var_os("WLDETECT_TOKENIZER").map(PathBuf::from);
    let trained = Some(root().join("artifacts/starter").join(TOKENIZER_FILE)).filter(|path| path.exists());
    match named.or(trained) {
        Some(path) => {
            let json = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            ("real".to_owned(), json)
        }
        None => ("small".to_owned(), small_definition(corpus).to_string().into_bytes()),
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .sample_size(10)
        .configure_from_args();
    let corpus = corpus();
    let (name, json) = definition(&corpus);
    let tokenizer = Tokenizer::from_json(&json).expect("a definition");
    assert_eq!(tokenizer.fallback_reason(), None);
    let reference = tokenizers::Tokenizer::from_bytes(&json).expect("a definition");

    let evicting = vec![1_u8; EVICTING];
    for (group_name, scripts) in GROUPS {
        let texts = texts_of(&corpus, scripts);
        assert!(texts.len() >= 50, "{group_name}: {} texts", texts.len());
        for text in &texts {
            let expected = reference.encode_fast(text.as_str(), false).expect("ids");
            assert_eq!(tokenizer.encode(text, ALL).expect("ids"), expected.get_ids(), "{text:?}");
        }
        let encode_all = |scratch: &mut Scratch, ids: &mut Vec<u32>| {
            for text in &texts {
                ids.clear();
                tokenizer.encode_into(black_box(text), ALL, scratch, ids).expect("ids");
            }
        };
        let mut group = criterion.benchmark_group(format!("tokenize/{name}/{group_name}"));
        group.throughput(Throughput::Bytes(texts.iter().map(|text| text.len() as u64).sum()));
        let (mut scratch, mut ids) = (Scratch::default(), Vec::new());
        group.bench_function("warm", |bencher| bencher.iter(|| encode_all(&mut scratch, &mut ids)));
        group.bench_function("cold", |bencher| {
            let evict = || {
                black_box(evicting.iter().step_by(64).fold(0_u8, |sum, &byte| sum.wrapping_add(byte)));
                Scratch::default()
            };
            bencher.iter_batched(evict, |mut scratch| encode_all(&mut scratch, &mut ids), BatchSize::PerIteration);
        });
        group.finish();
    }

    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(directory.path().join(TOKENIZER_FILE), &json).expect("room");
    // The first writes the compiled form.
    let opened = Tokenizer::open(directory.path(), tokenizer.sha256()).expect("a definition");
    assert_eq!(opened.encode("a b", ALL).expect("ids"), tokenizer.encode("a b", ALL).expect("ids"));
    let mut group = criterion.benchmark_group(format!("tokenize/{name}/load"));
    group.bench_function("compiled", |bencher| {
        bencher.iter(|| Tokenizer::open(directory.path(), tokenizer.sha256()).expect("the compiled form"));
    });
    group.bench_function("tokenizer.json", |bencher| {
        bencher.iter(|| Tokenizer::from_json(black_box(&json)).expect("a definition"));
    });
    group.finish();
    criterion.final_summary();
}
