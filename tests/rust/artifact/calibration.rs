//! Inverse temperatures, thresholds and hidden languages: read strictly, and applied as the oracle does.

use proptest::prelude::*;
use tempfile::TempDir;
use wldetect::pooling::{argmax, softmax};
use wldetect::tokenizer::TOKENIZER_FILE;
use wldetect::{Answer, DType, Detection, Detector, Error, Features, Format, Hidden};

use crate::model::{LANGUAGES, TOKENIZER, TableFile, write};
use crate::refused;

#[path = "../oracle/answers.rs"]
mod oracle;

use oracle::Rule;

const E3M4: DType = DType::Fp8(Format::E3M4);
const TEXTS: [&str; 9] =
    ["", "unknown", "one", "uno uno", "one uno", "eins eins uno", "one uno eins", "dos", "uno one one one"];

fn valid() -> TableFile {
    TableFile::valid(E3M4)
}

fn directory_of(lookup: &TableFile) -> TempDir {
    let directory = TempDir::new().expect("a temporary directory");
    lookup.write(directory.path());
    TableFile::ngrams(lookup.dtype).write(directory.path());
    write(directory.path(), TOKENIZER_FILE, TOKENIZER.as_bytes());
    directory
}

fn load(lookup: &TableFile, features: Features) -> Detector {
    Detector::load(directory_of(lookup).path(), lookup.dtype, features).expect("a valid model")
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn what_is_wrong_with_a_calibration_is_said() {
    let calibration = |json: &str| valid().key("calibration", json);
    let reason = crate::refused_bytes(&calibration("{\n").bytes(), E3M4);
    assert!(reason.starts_with("calibration: expected a JSON object: "), "{reason}");
    refused(&calibration("[]"), "calibration: expected a JSON object, found []");
    refused(&calibration(r#"{"both\n": {}}"#), r#"calibration: expected the keys all, tokens, ngrams, found "both\n""#);
    refused(&calibration(r#"{"all": 1}"#), "calibration.all: expected a JSON object, found 1");
    refused(
        &calibration(r#"{"tokens": {"temperatures": [1]}}"#),
        r#"calibration.tokens: expected the keys inverse_temperatures, thresholds, long_texts, found "temperatures""#,
    );
    refused(&calibration(r#"{"all": {}}"#), "calibration.all.inverse_temperatures: key missing");
    refused(&calibration(r#"{"ngrams": {"inverse_temperatures": [1]}}"#), "calibration.ngrams.thresholds: key missing");
    let temperatures =
        |json: &str| calibration(&format!(r#"{{"all": {{"inverse_temperatures": {json}, "thresholds": {{}}}}}}"#));
    for (json, found) in [("[]", "none"), ("1.5", "1.5"), ("\"a\\nb\"", "\"a\\nb\""), ("{}", "{}")] {
        let expected =
            format!("calibration.all.inverse_temperatures: expected a list of one or more numbers, found {found}");
        refused(&temperatures(json), &expected);
    }
    for number in ["0", "-1", "1e39", "1e-60", "-0.0", "null", "\"1\"", "[1]", "true"] {
        let reason = crate::refused_bytes(&temperatures(&format!("[0.5, {number}]")).bytes(), E3M4);
        let start = "calibration.all.inverse_temperatures[1]: expected a positive, finite number, found ";
        assert!(reason.starts_with(start), "{number}: {reason}");
    }
    let thresholds =
        |json: &str| calibration(&format!(r#"{{"all": {{"inverse_temperatures": [1], "thresholds": {json}}}}}"#));
    refused(&thresholds("[0.5]"), "calibration.all.thresholds: expected a JSON object, found [0.5]");
    refused(
        &thresholds(r#"{"fra_Latn": 0.5}"#),
        r#"calibration.all.thresholds: expected languages of the table, found "fra_Latn""#,
    );
    for (number, found) in [("-0.1", "-0.1"), ("1.01", "1.01"), ("null", "null"), ("\"0.5\"", "\"0.5\"")] {
        let expected = format!("calibration.all.thresholds.deu_Latn: expected a number from 0 to 1, found {found}");
        refused(&thresholds(&format!(r#"{{"eng_Latn": 0.5, "deu_Latn": {number}}}"#)), &expected);
    }
}

#[test]
fn what_is_wrong_with_long_texts_is_said() {
    let refuse = |json: &str, expected: &str| {
        let all = format!(r#"{{"all": {{"inverse_temperatures": [1], "thresholds": {{}}, "long_texts": {json}}}}}"#);
        refused(&valid().key("calibration", &all), &format!("calibration.all.long_texts{expected}"));
    };
    refuse("null", ": expected a JSON object, found null");
    refuse(r#"{"rows": 1}"#, r#": expected the keys from_evidence, thresholds, found "rows""#);
    refuse(r#"{"thresholds": {}}"#, ".from_evidence: key missing");
    refuse(r#"{"from_evidence": 1}"#, ".thresholds: key missing");
    for number in ["-1", "1.5", "\"1\""] {
        let expected = format!(".from_evidence: expected a number of rows, 0 or more, found {number}");
        refuse(&format!(r#"{{"from_evidence": {number}, "thresholds": {{}}}}"#), &expected);
    }
    let thresholds = |json: &str| format!(r#"{{"from_evidence": 1, "thresholds": {json}}}"#);
    refuse(&thresholds("[]"), ".thresholds: expected a JSON object, found []");
    refuse(&thresholds(r#"{"fra_Latn": 1}"#), r#".thresholds: expected languages of the table, found "fra_Latn""#);
    refuse(&thresholds(r#"{"eng_Latn": 2}"#), ".thresholds.eng_Latn: expected a number from 0 to 1, found 2");
}

#[test]
fn hidden_languages_are_languages() {
    let hidden = |json: &str| valid().key("hidden_languages", json);
    for json in ["", "{}", "[1]", "\"eng_Latn\""] {
        let reason = crate::refused_bytes(&hidden(json).bytes(), E3M4);
        assert!(reason.starts_with("hidden_languages: expected a JSON list of codes: "), "{json}: {reason}");
    }
    refused(&hidden(r#"["x\ny"]"#), r#"hidden_languages: expected languages of the table, found "x\ny""#);
    refused(&hidden(r#"["eng_Latn", "eng_Latn"]"#), r#"hidden_languages: "eng_Latn" stands twice"#);
}

#[test]
fn no_language_may_be_called_unknown_where_others_can_be() {
    let und = valid().key("languages", r#"["eng_Latn", "und", "deu_Latn"]"#);
    for (key, json) in [("calibration", "{}"), ("hidden_languages", "[]")] {
        let expected = format!("languages: expected none called \"und\" beside {key}, found one");
        refused(&und.clone().key(key, json), &expected);
    }
    // Without such keys it is a code as any other, until there is a threshold.
    let detector = load(&und, Features::Tokens).answering(Hidden::Unknown, Some(0.0)).expect("no threshold");
    assert!(matches!(detector.detect("uno"), Ok(Answer::Language(Detection { language: 1, .. }))));
    let error = detector.answering(Hidden::Unknown, Some(0.5)).err().expect("a threshold");
    assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
    let expected = "threshold: expected 0 for a model with a language called \"und\", found more";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn thresholds_of_another_kind_are_invalid_arguments() {
    for (threshold, shown) in [(-0.1, "-0.1"), (1.5, "1.5"), (f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let error =
            load(&valid(), Features::All).answering(Hidden::Unknown, Some(threshold)).err().expect("no threshold");
        assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
        assert_eq!(error.to_string(), format!("threshold: expected a number from 0 to 1, found {shown}"));
    }
    for hidden in Hidden::ALL {
        assert_eq!(Hidden::from_name(hidden.name()).ok(), Some(hidden));
    }
    let error = Hidden::from_name("yes").unwrap_err();
    assert_eq!(error.to_string(), "hidden: expected \"unknown\" or \"report\", found \"yes\"");
}

#[test]
fn each_way_to_use_a_model_has_its_own() -> wldetect::Result<()> {
    let json = r#"{"all": {"inverse_temperatures": [2], "thresholds": {}},
        "ngrams": {"inverse_temperatures": [1, 4], "thresholds": {"eng_Latn": 1, "spa_Latn": 1, "deu_Latn": 1}}}"#;
    let plain = TableFile::with_ngrams(E3M4);
    let calibrated = plain.clone().key("calibration", json);
    for features in Features::ALL {
        let (plain, calibrated) = (load(&plain, features), load(&calibrated, features));
        let [before, after] = [plain.probabilities("uno")?, calibrated.probabilities("uno")?];
        assert_eq!(before == after, features == Features::Tokens, "{features:?}");
        let unknown = matches!(calibrated.detect("uno")?, Answer::Unknown { .. });
        assert_eq!(unknown, features == Features::Ngrams, "{features:?}");
    }
    Ok(())
}

#[test]
fn evidence_is_counted_in_token_rows_or_in_ngram_rows_alone() -> wldetect::Result<()> {
    let lookup = TableFile::with_ngrams(E3M4);
    for (features, text, expected) in [
        // The unknown word is a token that is masked, but has n-grams.
        (Features::All, "one uno dos", 2),
        (Features::All, "dos", 1),
        (Features::Tokens, "one uno dos", 2),
        (Features::Ngrams, "uno dos", 10),
    ] {
        let detector = load(&lookup, features);
        let mut workspace = detector.workspace();
        let found = detector.logits_with(text, &mut workspace)?.map(|(_, evidence)| evidence);
        assert_eq!(found, Some(expected), "{features:?}, {text:?}");
        assert_eq!(detector.logits_with("", &mut workspace)?, None);
    }
    let tokens = load(&lookup, Features::Tokens);
    assert_eq!(tokens.logits_with("dos", &mut tokens.workspace())?, None);
    Ok(())
}

#[test]
fn a_probability_equal_to_the_threshold_is_enough() -> wldetect::Result<()> {
    let detector = load(&valid(), Features::Tokens);
    let Answer::Language(found) = detector.detect("uno")? else { panic!("no language") };
    let detector = detector.answering(Hidden::Unknown, Some(found.probability))?;
    assert_eq!(detector.detect("uno")?, Answer::Language(found));
    let detector = detector.answering(Hidden::Unknown, Some(found.probability.next_up()))?;
    assert_eq!(detector.detect("uno")?, Answer::Unknown { probability: found.probability });
    assert_eq!(detector.answering(Hidden::Unknown, None)?.detect("uno")?, Answer::Language(found));
    Ok(())
}

#[derive(Clone, Debug)]
struct Case {
    dtype: DType,
    features: Features,
    temperatures: Vec<f32>,
    thresholds: Vec<Option<f32>>,
    long_texts: Option<(usize, Vec<f32>)>,
    hidden: Vec<bool>,
    report: Hidden,
    threshold: Option<f32>,
}

fn cases() -> impl Strategy<Value = Case> {
    let temperature = prop_oneof![Just(1.0_f32), 0.01_f32..20.0];
    let threshold = prop_oneof![0.0_f32..=1.0, 0.3_f32..0.6];
    let long = prop::collection::vec(threshold.clone(), LANGUAGES.len());
    (
        prop::sample::select(DType::ALL.to_vec()),
        prop::sample::select(Features::ALL.to_vec()),
        prop::collection::vec(temperature, 1..5),
        prop::collection::vec(prop::option::of(threshold.clone()), LANGUAGES.len()),
        prop::option::of((0_usize..5, long)),
        prop::collection::vec(any::<bool>(), LANGUAGES.len()),
        prop::sample::select(Hidden::ALL.to_vec()),
        prop::option::of(threshold),
    )
        .prop_map(|(dtype, features, temperatures, thresholds, long_texts, hidden, report, threshold)| Case {
            dtype,
            features,
            temperatures,
            thresholds,
            long_texts,
            hidden,
            report,
            threshold,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Probabilities and answers of a calibrated model, for single texts and batches, from the logits of the same model
    /// without a calibration.
    #[test]
    fn answers_are_those_of_the_oracle(case in cases(), threads in 1_usize..4) {
        let Case { dtype, features, temperatures, thresholds, long_texts, hidden, report, threshold } = case;
        let named: serde_json::Map<String, serde_json::Value> = LANGUAGES.iter().zip(&thresholds)
            .filter_map(|(name, threshold)| threshold.map(|threshold| (name.to_string(), threshold.into())))
            .collect();
        let mut json = serde_json::json!({
            features.name(): {"inverse_temperatures": temperatures, "thresholds": named}
        });
        if let Some((from, thresholds)) = &long_texts {
            let named: serde_json::Map<String, serde_json::Value> = LANGUAGES.iter().zip(thresholds)
                .map(|(name, &threshold)| (name.to_string(), threshold.into()))
                .collect();
            json[features.name()]["long_texts"] = serde_json::json!({"from_evidence": from, "thresholds": named});
        }
        let codes = LANGUAGES.into_iter().zip(&hidden).filter_map(|(name, &is)| is.then_some(name));
        let codes: Vec<&str> = codes.collect();
        let plain = TableFile::with_ngrams(dtype);
        let calibrated = plain.clone()
            .key("calibration", &json.to_string())
            .key("hidden_languages", &serde_json::json!(codes).to_string());
        let plain = load(&plain, features);
        let detector = load(&calibrated, features).answering(report, threshold).expect("in range");
        let rule = Rule {
            inverse_temperatures: &temperatures,
            thresholds: &thresholds.iter().map(|own| threshold.or(*own).unwrap_or(0.0)).collect::<Vec<_>>(),
            hidden: &hidden.iter().map(|&is| is && report == Hidden::Unknown).collect::<Vec<_>>(),
            long_texts: long_texts.as_ref().filter(|_| threshold.is_none())
                .map(|(from, thresholds)| (*from, thresholds.as_slice())),
        };
        let mut workspace = plain.workspace();
        let batch = detector.detect_batch(&TEXTS, Some(threads)).expect("known words");
        for (text, in_batch) in TEXTS.into_iter().zip(batch) {
            let answer = detector.detect(text).expect("known words");
            prop_assert_eq!(in_batch, answer, "{:?}", text);
            let found = detector.probabilities(text).expect("known words");
            let Some((logits, evidence)) = plain.logits_with(text, &mut workspace).expect("known words") else {
                prop_assert_eq!((answer, found), (Answer::Nothing, None), "{:?}", text);
                continue;
            };
            let found = found.expect("as without a calibration");
            for (&found, expected) in found.iter().zip(rule.probabilities(logits, evidence)) {
                prop_assert!((f64::from(found) - expected).abs() < 2e-6, "{:?}: {} for {}", text, found, expected);
            }
            let language = argmax(logits).expect("a language");
            let probability = found[language];
            prop_assert_eq!(answer, match rule.answers(language, probability, evidence) {
                true => Answer::Language(Detection { language, probability }),
                false => Answer::Unknown { probability },
            }, "{:?}", text);
        }
    }

    /// What a model without the keys says is the softmax of its logits, to the bit, and so is it with temperatures of
    /// 1.
    #[test]
    fn without_a_calibration_nothing_changes(
        dtype in prop::sample::select(DType::ALL.to_vec()),
        features in prop::sample::select(Features::ALL.to_vec()),
    ) {
        let plain = TableFile::with_ngrams(dtype);
        let json = format!(r#"{{"{}": {{"inverse_temperatures": [1, 1], "thresholds": {{}}}}}}"#, features.name());
        let neutral = load(&plain.clone().key("calibration", &json).key("hidden_languages", "[]"), features);
        let plain = load(&plain, features);
        let mut workspace = plain.workspace();
        for text in TEXTS {
            let expected = plain.logits_with(text, &mut workspace).expect("known words").map(|(logits, _)| {
                let mut probabilities = logits.to_vec();
                softmax(&mut probabilities);
                probabilities
            });
            let expected = expected.as_deref().map(bits);
            for detector in [&plain, &neutral] {
                let found = detector.probabilities(text).expect("known words");
                prop_assert_eq!(found.as_deref().map(bits), expected.clone(), "{:?}", text);
            }
            prop_assert_eq!(plain.detect(text).expect("known words"), neutral.detect(text).expect("known words"));
        }
    }
}
