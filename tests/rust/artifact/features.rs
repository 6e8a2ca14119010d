//! `Detector` with both families of rows.

use std::path::Path;

use proptest::prelude::*;
use safetensors::tensor::Dtype;
use tempfile::TempDir;
use wldetect::artifact::{Artifact, NgramArtifact};
use wldetect::ngrams::Ngrams;
use wldetect::pooling::{self, Scratch};
use wldetect::tokenizer::TOKENIZER_FILE;
use wldetect::{Answer, DType, Detector, Error, Features, Format, Pooling, Tokenizer};

use crate::model::{COLUMNS, LANGUAGES, NGRAM_ROWS, TOKENIZER, TableFile, sha256, stored_as, write};

#[path = "../oracle/ngrams.rs"]
mod oracle;

const E3M4: DType = DType::Fp8(Format::E3M4);

fn write_model(directory: &Path, lookup: &TableFile, ngrams: &TableFile) {
    lookup.write(directory);
    ngrams.write(directory);
    write(directory, TOKENIZER_FILE, TOKENIZER.as_bytes());
}

fn model(dtype: DType) -> TempDir {
    let directory = TempDir::new().expect("a temporary directory");
    write_model(directory.path(), &TableFile::with_ngrams(dtype), &TableFile::ngrams(dtype));
    directory
}

/// Softmax of `logits`, as the crate computes it.
fn softmax(mut logits: Vec<f32>) -> Vec<f32> {
    pooling::softmax(&mut logits);
    logits
}

/// Row r of [`TableFile::ngrams`].
fn row(row: u32) -> Vec<f64> {
    vec![f64::from(row) / 4.0, f64::from(row) / -8.0]
}

#[test]
fn logits_of_both_are_added() -> wldetect::Result<()> {
    for dtype in DType::ALL {
        let directory = model(dtype);
        let detector = Detector::load(directory.path(), dtype, Features::All)?;
        let ngrams = detector.ngrams().expect("n-gram rows").ngrams();
        // Two tokens; bigrams and words, each counted as often as it occurs.
        let rows = ngrams.rows("uno uno");
        assert_eq!(rows.len(), 10);
        let average = rows.iter().map(|&row| row as f32).sum::<f32>() / 10.0;
        let (first, second) = (average / 4.0, -average / 8.0);
        let expected = softmax(vec![first, 1.0 + first + second, -second]);
        let found = detector.probabilities("uno uno")?.expect("rows of both");
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{dtype:?}: {found} for {expected}");
        }
    }
    Ok(())
}

#[test]
fn each_family_stands_alone_where_the_other_has_no_rows() -> wldetect::Result<()> {
    let directory = model(E3M4);
    let both = Detector::load(directory.path(), E3M4, Features::All)?;
    let tokens = Detector::load(directory.path(), E3M4, Features::Tokens)?;
    // An unknown word has n-grams all the same.
    let rows = both.ngrams().expect("n-gram rows").ngrams().rows("dos");
    let projection = [vec![1.0, 1.0, 0.0], vec![0.0, 1.0, -1.0]];
    let alone = oracle::logits(row, 1.0, 1.0, Some(&projection), &rows);
    assert_eq!(both.probabilities("dos")?, Some(softmax(alone)));
    assert_eq!(tokens.probabilities("dos")?, None);
    // With words split at letters, digits have no n-grams, but may be tokens.
    let ngrams = TableFile::ngrams(E3M4);
    let letters = ngrams.metadata["ngrams"].replace("spaces", "letters");
    let tokenizer = TOKENIZER.replace("eins", "1");
    let lookup = TableFile::with_ngrams(E3M4).key("tokenizer_sha256", &sha256(&tokenizer));
    write_model(directory.path(), &lookup, &ngrams.key("ngrams", &letters));
    write(directory.path(), TOKENIZER_FILE, tokenizer.as_bytes());
    let both = Detector::load(directory.path(), E3M4, Features::All)?;
    let tokens = Detector::load(directory.path(), E3M4, Features::Tokens)?;
    assert_eq!(both.probabilities("1")?, Some(softmax(vec![0.0, 0.0, 1.0])));
    assert_eq!(both.probabilities("1")?, tokens.probabilities("1")?);
    assert_ne!(both.probabilities("1 a")?, tokens.probabilities("1 a")?);
    for nothing in ["", " ", "2", "!?\n"] {
        assert_eq!((both.detect(nothing)?, both.probabilities(nothing)?), (Answer::Nothing, None), "{nothing:?}");
    }
    Ok(())
}

#[test]
fn tokens_alone_need_no_file_of_ngrams() -> wldetect::Result<()> {
    let directory = model(E3M4);
    let path = directory.path().join(NgramArtifact::file_name(E3M4));
    let plain = TempDir::new().expect("a temporary directory");
    TableFile::valid(E3M4).write(plain.path());
    write(plain.path(), TOKENIZER_FILE, TOKENIZER.as_bytes());
    // A file of n-grams beside a model that has none is not read.
    write(plain.path(), NgramArtifact::file_name(E3M4), b"not a table");
    let plain = Detector::load(plain.path(), E3M4, Features::All)?;
    assert!(plain.ngrams().is_none());
    std::fs::remove_file(&path).expect("it is there");
    match Detector::load(directory.path(), E3M4, Features::All) {
        Err(Error::Io { path: at, source }) => assert_eq!((at, source.kind()), (path, std::io::ErrorKind::NotFound)),
        other => panic!("{:?}", other.map(|_| "a detector")),
    }
    let tokens = Detector::load(directory.path(), E3M4, Features::Tokens)?;
    assert!(tokens.ngrams().is_none());
    for text in ["uno eins", "one", "dos", ""] {
        assert_eq!(tokens.probabilities(text)?, plain.probabilities(text)?);
    }
    Ok(())
}

#[test]
fn ngrams_alone_leave_tokens_out() -> wldetect::Result<()> {
    let directory = model(E3M4);
    let alone = Detector::load(directory.path(), E3M4, Features::Ngrams)?;
    let both = Detector::load(directory.path(), E3M4, Features::All)?;
    let projection = [vec![1.0, 1.0, 0.0], vec![0.0, 1.0, -1.0]];
    // A word that is a token, and one that is none.
    for text in ["uno", "dos"] {
        let rows = alone.ngrams().expect("n-gram rows").ngrams().rows(text);
        let expected = softmax(oracle::logits(row, 1.0, 1.0, Some(&projection), &rows));
        assert_eq!(alone.probabilities(text)?, Some(expected));
    }
    assert_ne!(alone.probabilities("uno")?, both.probabilities("uno")?);
    assert_eq!(alone.probabilities("dos")?, both.probabilities("dos")?);
    assert_eq!((alone.detect(" ")?, alone.probabilities("")?), (Answer::Nothing, None));
    assert_eq!(alone.fingerprint(), both.fingerprint());

    let plain = TempDir::new().expect("a temporary directory");
    TableFile::valid(E3M4).write(plain.path());
    write(plain.path(), TOKENIZER_FILE, TOKENIZER.as_bytes());
    match Detector::load(plain.path(), E3M4, Features::Ngrams) {
        Err(Error::Artifact { path, reason }) => {
            assert_eq!(path, plain.path().join(E3M4.file_name()));
            assert_eq!(reason, "features: expected a model with rows of n-grams, found one without (ngram_table_id)");
        }
        other => panic!("{:?}", other.map(|_| "a detector")),
    }
    Ok(())
}

#[test]
fn the_fingerprint_is_of_all_that_is_used() -> wldetect::Result<()> {
    let directory = model(E3M4);
    let [lookup, ngrams] = [E3M4.file_name(), NgramArtifact::file_name(E3M4)]
        .map(|name| std::fs::read(directory.path().join(name)).expect("it is there"));
    let both = Detector::load(directory.path(), E3M4, Features::All)?;
    let tokens = Detector::load(directory.path(), E3M4, Features::Tokens)?;
    assert_eq!(tokens.fingerprint(), sha256(&lookup));
    assert_eq!(both.fingerprint(), sha256([lookup, ngrams].concat()));
    Ok(())
}

#[test]
fn files_of_two_models_do_not_load() {
    let directory = model(E3M4);
    let other = TableFile::ngrams(E3M4).key("ngram_table_id", "of another");
    let path = other.write(directory.path());
    match Detector::load(directory.path(), E3M4, Features::All) {
        Err(Error::Artifact { path: at, reason }) => {
            assert_eq!(at, path);
            assert!(reason.starts_with("ngram_table_id: expected"), "{reason}");
        }
        other => panic!("{:?}", other.map(|_| "a detector")),
    }
}

#[test]
fn features_have_names() {
    for features in Features::ALL {
        assert_eq!(Features::from_name(features.name()).ok(), Some(features));
    }
    let error = Features::from_name("both").unwrap_err();
    assert_eq!(error.to_string(), "features: expected \"all\", \"tokens\" or \"ngrams\", found \"both\"");
}

/// `count` finite values of `dtype`.
fn values(dtype: DType, count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let value = |_| match dtype {
        // Exponent 7 is infinity or NaN in E3M4.
        DType::Fp8(_) => vec![(next() >> 32) as u8 & 0xBF],
        DType::Float32 => ((next() >> 40) as f32 / (1 << 21) as f32 - 4.0).to_le_bytes().to_vec(),
    };
    (0..count).flat_map(value).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four"))).collect()
}

#[derive(Clone, Debug)]
struct Case {
    dtype: DType,
    pooling: Pooling,
    /// Numbers a row; none: one for each language, and no projection.
    numbers: Option<usize>,
    scale: f32,
    seed: u64,
    texts: Vec<String>,
}

fn cases() -> impl Strategy<Value = Case> {
    let word = prop_oneof!["one|uno|eins|dos|UNO|Größe|1", "[a-z]{1,9}"];
    let text = prop::collection::vec(word, 0..6).prop_map(|words| words.join(" "));
    let texts = prop::collection::vec(text, 1..40);
    let numbers = prop::option::of(1_usize..80);
    let kind = (prop::sample::select(DType::ALL.to_vec()), prop::sample::select(Pooling::ALL.to_vec()), numbers);
    (kind, 1e-3_f32..3.0, any::<u64>(), texts).prop_map(|((dtype, pooling, numbers), scale, seed, texts)| Case {
        dtype,
        pooling,
        numbers,
        scale,
        seed,
        texts,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Token logits as pooling has them, plus those of the oracle, to the bit: for single texts and for batches on any
    /// number of threads.
    #[test]
    fn both_families_give_what_the_oracle_does(case in cases(), threads in 1_usize..5) {
        let Case { dtype, pooling, numbers, scale, seed, texts } = case;
        let file = TableFile::ngrams(dtype);
        let (stored_dtype, width) = (file.dtype, numbers.unwrap_or(COLUMNS));
        let table = values(stored_dtype, NGRAM_ROWS * width, seed);
        let mut file = file
            .tensor("ngram_table", stored_as(stored_dtype), &[NGRAM_ROWS, width], table.clone())
            .tensor("shape", Dtype::I64, &[2], [NGRAM_ROWS as i64, width as i64].map(i64::to_le_bytes).concat())
            .tensor("scale", Dtype::F32, &[1], scale.to_le_bytes());
        let projection = values(DType::Float32, width * COLUMNS, seed ^ 99);
        file = match numbers {
            Some(_) => file.tensor("projection", Dtype::F32, &[width, COLUMNS], projection.clone()),
            None => file.without_tensor("projection"),
        };
        let directory = TempDir::new().expect("a temporary directory");
        let lookup = TableFile::with_ngrams(dtype).key("pooling", pooling.name());
        write_model(directory.path(), &lookup, &file);
        let detector = Detector::load(directory.path(), dtype, Features::All).expect("a valid model");
        assert_eq!(detector.languages(), LANGUAGES);

        let tokens = Artifact::open(&directory.path().join(dtype.file_name()), dtype).expect("a valid table");
        let tokenizer = Tokenizer::from_json(TOKENIZER.as_bytes()).expect("a definition");
        let ngrams: &Ngrams = detector.ngrams().expect("n-gram rows").ngrams();
        let (unit, size) = match stored_dtype {
            DType::Fp8(format) => (f64::from(format.step()), 1),
            DType::Float32 => (1.0, 4),
        };
        let stored = |row: u32| -> Vec<f64> {
            let row = &table[row as usize * width * size..][..width * size];
            match stored_dtype {
                DType::Fp8(format) => row.iter().map(|&code| f64::from(format.decode(code)) / unit).collect(),
                DType::Float32 => floats(row).into_iter().map(f64::from).collect(),
            }
        };
        let matrix: Option<Vec<Vec<f32>>> =
            numbers.map(|_| floats(&projection).chunks(COLUMNS).map(<[f32]>::to_vec).collect());
        let expected: Vec<Option<Vec<f32>>> = texts.iter().map(|text| {
            let ids = tokenizer.encode(text, 512).expect("known words");
            let mut logits = vec![0.0; COLUMNS];
            let pooled = pooling::pool(tokens.table(), &ids, pooling, &mut Scratch::default(), &mut logits).expect("room");
            let rows = ngrams.rows(text);
            if !rows.is_empty() {
                let more = oracle::logits(stored, unit, scale, matrix.as_deref(), &rows);
                logits.iter_mut().zip(more).for_each(|(logit, more)| *logit += more);
            }
            (pooled > 0 || !rows.is_empty()).then(|| softmax(logits))
        }).collect();

        let bits = |values: &Vec<f32>| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        for (text, expected) in texts.iter().zip(&expected) {
            let found = detector.probabilities(text).expect("known words");
            prop_assert_eq!(found.as_ref().map(bits), expected.as_ref().map(bits), "{:?}", text);
        }
        let batch = detector.detect_batch(&texts, Some(threads)).expect("known words");
        for (found, expected) in batch.iter().zip(&expected) {
            let expected = expected.as_ref().and_then(|expected| pooling::argmax(expected).map(|at| (at, expected[at])));
            prop_assert_eq!(found.detection().map(|found| (found.language, found.probability)), expected);
        }
    }
}
