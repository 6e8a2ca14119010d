//! `Detector` end to end, over a model directory of four words and three languages.

use std::path::Path;

use tempfile::TempDir;
use wldetect::tokenizer::TOKENIZER_FILE;
use wldetect::{Answer, DType, Detection, Detector, Error, Features, Format, Tokenizer};

use crate::model::{LANGUAGES, TOKENIZER, TableFile, sha256, write};

const E3M4: DType = DType::Fp8(Format::E3M4);

fn directory_of(file: &TableFile, tokenizer: &str) -> TempDir {
    let directory = TempDir::new().expect("a temporary directory");
    file.write(directory.path());
    write(directory.path(), TOKENIZER_FILE, tokenizer.as_bytes());
    directory
}

fn detector_of(file: &TableFile) -> Detector {
    Detector::load(directory_of(file, TOKENIZER).path(), file.dtype, Features::All).expect("a valid model")
}

/// The code that `text` is detected as.
fn code<'a>(detector: &'a Detector, text: &str) -> Option<&'a str> {
    let found = detector.detect(text).expect("the tokenizer knows an unknown token");
    found.detection().map(|detection| detector.languages()[detection.language].as_str())
}

fn refused(directory: &Path, dtype: DType) -> Error {
    Detector::load(directory, dtype, Features::All).err().expect("a model that cannot be loaded")
}

/// Softmax of these logits at `index`, in `f64`.
fn probability(logits: [f64; 3], index: usize) -> f64 {
    logits[index].exp() / logits.iter().map(|logit| logit.exp()).sum::<f64>()
}

#[test]
fn each_dtype_and_pooling_detects() -> wldetect::Result<()> {
    for dtype in DType::ALL {
        for (pooling, logits) in [
            ("average", [0.25, 0.75, 0.0]),
            ("max", [1.0, 1.0, 0.0]),
            ("logsumexp", [(3.0 + 1_f64.exp()).ln(), (1.0 + 3.0 * 1_f64.exp()).ln(), 4_f64.ln()]),
        ] {
            let detector = detector_of(&TableFile::valid(dtype).key("pooling", pooling));
            assert_eq!(detector.languages(), LANGUAGES);
            assert_eq!(detector.metadata().pooling.name(), pooling);
            let found = detector.probabilities("uno one uno uno")?.expect("known words");
            for (index, &found) in found.iter().enumerate() {
                assert!((f64::from(found) - probability(logits, index)).abs() < 1e-6, "{pooling}, {index}: {found}");
            }
            // Of two as probable, the first.
            let language = if pooling == "max" { 0 } else { 1 };
            let detection = detector.detect("uno one uno uno")?;
            assert_eq!(detection, Answer::Language(Detection { language, probability: found[language] }));
        }
    }
    Ok(())
}

#[test]
fn the_scale_sharpens() -> wldetect::Result<()> {
    let scale = 3_f32.to_le_bytes();
    let detector = detector_of(&TableFile::valid(E3M4).tensor("scale", safetensors::Dtype::F32, &[1], scale));
    let found = detector.detect("eins")?.detection().expect("a known word");
    assert_eq!(found.language, 2);
    assert!((f64::from(found.probability) - probability([0.0, 0.0, 3.0], 2)).abs() < 1e-6, "{found:?}");
    Ok(())
}

#[test]
fn masked_tokens_have_no_say() -> wldetect::Result<()> {
    let detector = detector_of(&TableFile::valid(E3M4));
    assert_eq!(detector.detect("what is eins")?, detector.detect("eins")?);
    // Without the mask the unknown words' row of zeros flattens the answer.
    let open = detector_of(&TableFile::valid(E3M4).without_tensor("zero_weight_mask"));
    let [plain, diluted] =
        [open.detect("eins")?, open.detect("what is eins")?].map(|found| found.detection().expect("a row"));
    assert!(diluted.probability < plain.probability);
    Ok(())
}

#[test]
fn texts_that_say_nothing_are_none() -> wldetect::Result<()> {
    let detector = detector_of(&TableFile::valid(E3M4));
    for text in ["", " ", "\n", "\r\n\t", "\u{3000}", "\0", "\0\0 \0", "unknown", "\u{FFFD}", "\u{1F600}"] {
        assert_eq!(detector.detect(text)?, Answer::Nothing, "{text:?}");
        assert_eq!(detector.probabilities(text)?, None, "{text:?}");
    }
    Ok(())
}

#[test]
fn odd_characters_beside_words_do_no_harm() {
    let detector = detector_of(&TableFile::valid(E3M4));
    for text in ["eins\n", "\neins\r\n", "\0 eins", "eins \0\0", "\u{FEFF} eins", "\u{202E} eins \u{10FFFF}"] {
        assert_eq!(code(&detector, text), Some("deu_Latn"), "{text:?}");
    }
    assert_eq!(code(&detector, "eins\0"), None, "another word");
}

#[test]
fn tokens_past_the_limit_are_left_out() {
    let text = "one one uno uno uno uno";
    for (limit, expected) in [("1", "eng_Latn"), ("3", "eng_Latn"), ("5", "spa_Latn"), ("512", "spa_Latn")] {
        let detector = detector_of(&TableFile::valid(E3M4).key("max_sequence_length", limit));
        assert_eq!(code(&detector, text), Some(expected), "{limit} tokens");
    }
    // Unknown words count as tokens: the limit is on the text, not on what takes part.
    let detector = detector_of(&TableFile::valid(E3M4).key("max_sequence_length", "2"));
    assert_eq!(code(&detector, "what is eins"), None);
}

#[test]
fn ids_past_the_table_are_left_out() {
    let tokenizer = TOKENIZER.replace("\"eins\": 3", "\"eins\": 3, \"zwei\": 4, \"drei\": 4000000000");
    let file = TableFile::valid(E3M4).key("tokenizer_sha256", &sha256(&tokenizer));
    let detector = Detector::load(directory_of(&file, &tokenizer).path(), E3M4, Features::All).expect("a valid model");
    assert_eq!(code(&detector, "zwei drei"), None);
    assert_eq!(code(&detector, "zwei drei uno"), Some("spa_Latn"));
}

#[test]
fn a_text_of_a_megabyte_is_fine() {
    let detector = detector_of(&TableFile::valid(E3M4));
    assert_eq!(code(&detector, &"uno ".repeat(1 << 18)), Some("spa_Latn"));
    assert_eq!(code(&detector, &"u".repeat(1 << 20)), None);
}

#[test]
fn batches_give_what_single_texts_give() -> wldetect::Result<()> {
    let detector = detector_of(&TableFile::valid(E3M4));
    let texts: Vec<String> =
        (0..500).map(|i| format!("{} uno eins", ["one ", "uno ", "", "\n"][i % 4].repeat(i % 7))).collect();
    let texts = [vec![String::new(), "nothing known".to_owned()], texts].concat();
    let serial = texts.iter().map(|text| detector.detect(text)).collect::<wldetect::Result<Vec<_>>>()?;
    assert!(serial.contains(&Answer::Nothing));
    assert!(serial.iter().filter_map(|answer| answer.detection()).any(|found| found.language == 0));
    for threads in [None, Some(1), Some(2), Some(4)] {
        assert_eq!(detector.detect_batch(&texts, threads)?, serial, "{threads:?}");
        assert_eq!(detector.detect_batch::<&str>(&[], threads)?, [], "{threads:?}");
    }
    let error = detector.detect_batch(&texts, Some(0)).unwrap_err();
    assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
    assert_eq!(error.to_string(), "threads: expected at least 1, found 0");
    Ok(())
}

#[test]
fn one_detector_serves_many_threads() {
    let detector = detector_of(&TableFile::valid(E3M4));
    std::thread::scope(|scope| {
        for (word, expected) in [("one", "eng_Latn"), ("uno", "spa_Latn"), ("eins", "deu_Latn")] {
            let detector = &detector;
            scope.spawn(move || (0..300).for_each(|_| assert_eq!(code(detector, word), Some(expected))));
        }
    });
}

#[test]
fn another_tokenizer_is_refused() {
    let other = TOKENIZER.replace("eins", "zwei");
    let directory = directory_of(&TableFile::valid(E3M4), &other);
    let path = directory.path().join(TOKENIZER_FILE);
    let (expected, found) = (sha256(TOKENIZER), sha256(&other));
    match refused(directory.path(), E3M4) {
        Error::Artifact { path: at, reason } => {
            assert_eq!(at, path);
            assert_eq!(reason, format!("expected the tokenizer of the table, sha256 {expected:?}, found {found:?}"));
        }
        other => panic!("{other:?}"),
    }
    let file = TableFile::valid(E3M4).key("tokenizer_sha256", "two\nlines");
    let text = refused(directory_of(&file, TOKENIZER).path(), E3M4).to_string();
    assert!(text.contains("sha256 \"two\\nlines\"") && !text.contains('\n'), "{text:?}");
}

#[test]
fn tokenizers_that_are_none_are_refused() {
    for json in ["", "{}", "null", "\u{0}", &TOKENIZER[..200], &TOKENIZER.replace("WordLevel", "Word\\nLevel")] {
        let file = TableFile::valid(E3M4).key("tokenizer_sha256", &sha256(json));
        let directory = directory_of(&file, json);
        match refused(directory.path(), E3M4) {
            error @ Error::Artifact { .. } => {
                let text = error.to_string();
                let start = format!("{}: tokenizer: ", directory.path().join(TOKENIZER_FILE).display());
                assert!(text.starts_with(&start) && !text.contains('\n'), "{text:?}");
            }
            other => panic!("{json:?}: {other:?}"),
        }
    }
}

#[test]
fn missing_files_are_io_errors_that_name_them() {
    for missing in [E3M4.file_name(), TOKENIZER_FILE] {
        let directory = directory_of(&TableFile::valid(E3M4), TOKENIZER);
        let path = directory.path().join(missing);
        std::fs::remove_file(&path).expect("it is there");
        match refused(directory.path(), E3M4) {
            Error::Io { path: at, source } => {
                assert_eq!((at, source.kind()), (path, std::io::ErrorKind::NotFound));
            }
            other => panic!("{other:?}"),
        }
    }
    let directory = directory_of(&TableFile::valid(E3M4), TOKENIZER);
    let text = refused(directory.path(), DType::Float32).to_string();
    assert!(text.contains("lookup_table_float32.safetensors"), "{text}");
    assert!(matches!(refused(&directory.path().join("nowhere"), E3M4), Error::Io { .. }));
}

#[test]
fn truncation_and_padding_in_a_tokenizer_are_dropped() -> wldetect::Result<()> {
    let settings = TOKENIZER
        .replace(
            "\"truncation\": null",
            r#""truncation": {"direction": "Left", "max_length": 2, "strategy": "LongestFirst", "stride": 0}"#,
        )
        .replace(
            "\"padding\": null",
            r#""padding": {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
                "pad_type_id": 0, "pad_token": "[UNK]"}"#,
        );
    for json in [TOKENIZER, &settings] {
        let tokenizer = Tokenizer::from_json(json.as_bytes())?;
        assert_eq!(tokenizer.encode("one uno eins zwei", usize::MAX)?, [1, 2, 3, 0]);
        assert_eq!(tokenizer.encode("one uno eins zwei", 2)?, [1, 2]);
        assert_eq!((tokenizer.vocab_size(), tokenizer.sha256()), (4, sha256(json).as_str()));
    }
    Ok(())
}

#[test]
fn a_text_the_tokenizer_cannot_express_is_an_error() {
    // A word-level model without the unknown token it names.
    let tokenizer = TOKENIZER.replace("\"[UNK]\": 0, ", "");
    let file = TableFile::valid(E3M4).key("tokenizer_sha256", &sha256(&tokenizer));
    let detector = Detector::load(directory_of(&file, &tokenizer).path(), E3M4, Features::All).expect("a valid model");
    assert_eq!(code(&detector, "uno"), Some("spa_Latn"));
    let results = [detector.detect("dos").map(|_| ()), detector.detect_batch(&["uno", "dos"], Some(2)).map(|_| ())];
    for error in results.map(Result::unwrap_err) {
        assert!(matches!(error, Error::Tokenizer(_)), "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with("tokenizer: ") && !text.contains('\n'), "{text:?}");
    }
}
