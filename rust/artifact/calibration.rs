//! What a lookup table's metadata say about probabilities: the keys `calibration` and `hidden_languages`.

use serde_json::{Map, Value};

use super::header::Header;
use crate::answers::{Calibration, LongTexts, UNKNOWN};
use crate::detector::Features;
use crate::error::Result;

/// Key of a JSON object with a calibration for some or all ways to use the model, by [`Features::name`].
const CALIBRATION: &str = "calibration";
/// Key of a JSON list of the languages that are not reported.
const HIDDEN: &str = "hidden_languages";
const INVERSE_TEMPERATURES: &str = "inverse_temperatures";
const THRESHOLDS: &str = "thresholds";
const LONG_TEXTS: &str = "long_texts";
const FROM_EVIDENCE: &str = "from_evidence";

/// The calibration of each way to use a model, where there is one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calibrations {
    all: Option<Calibration>,
    tokens: Option<Calibration>,
    ngrams: Option<Calibration>,
}

impl Calibrations {
    /// That of a way to use the model.
    pub fn of(&self, features: Features) -> Option<&Calibration> {
        match features {
            Features::All => self.all.as_ref(),
            Features::Tokens => self.tokens.as_ref(),
            Features::Ngrams => self.ngrams.as_ref(),
        }
    }
}

/// The calibrations that a table of `languages` comes with.
pub(super) fn calibrations(header: &Header<'_>, languages: &[String]) -> Result<Calibrations> {
    let Some(text) = header.optional_key(CALIBRATION) else { return Ok(Calibrations::default()) };
    let found: Value = serde_json::from_str(text)
        .map_err(|error| header.error(format!("{CALIBRATION}: expected a JSON object: {error}")))?;
    let reader = Reader { header, languages };
    let names = Features::ALL.map(Features::name);
    let ways = reader.object(CALIBRATION, &found, &names)?;
    not_und(header, CALIBRATION, languages)?;
    let one = |features: Features| ways.get(features.name()).map(|way| reader.calibration(features, way)).transpose();
    Ok(Calibrations { all: one(Features::All)?, tokens: one(Features::Tokens)?, ngrams: one(Features::Ngrams)? })
}

/// The hidden ones of `languages`, by index.
pub(super) fn hidden(header: &Header<'_>, languages: &[String]) -> Result<Vec<usize>> {
    let Some(text) = header.optional_key(HIDDEN) else { return Ok(Vec::new()) };
    let names: Vec<String> = serde_json::from_str(text)
        .map_err(|error| header.error(format!("{HIDDEN}: expected a JSON list of codes: {error}")))?;
    not_und(header, HIDDEN, languages)?;
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        let Some(index) = languages.iter().position(|language| *language == name) else {
            return Err(header.error(format!("{HIDDEN}: expected languages of the table, found {name:?}")));
        };
        if found.contains(&index) {
            return Err(header.error(format!("{HIDDEN}: {name:?} stands twice")));
        }
        found.push(index);
    }
    Ok(found)
}

fn not_und(header: &Header<'_>, key: &str, languages: &[String]) -> Result<()> {
    match languages.iter().any(|language| language == UNKNOWN) {
        true => Err(header.error(format!("languages: expected none called {UNKNOWN:?} beside {key}, found one"))),
        false => Ok(()),
    }
}

struct Reader<'a> {
    header: &'a Header<'a>,
    languages: &'a [String],
}

impl Reader<'_> {
    /// The object `value`, which has no other keys than `keys`.
    fn object<'v>(&self, place: &str, value: &'v Value, keys: &[&str]) -> Result<&'v Map<String, Value>> {
        let Value::Object(object) = value else {
            return Err(self.header.error(format!("{place}: expected a JSON object, found {value}")));
        };
        match object.keys().find(|key| !keys.contains(&key.as_str())) {
            Some(key) => {
                Err(self.header.error(format!("{place}: expected the keys {}, found {key:?}", keys.join(", "))))
            }
            None => Ok(object),
        }
    }

    fn calibration(&self, features: Features, value: &Value) -> Result<Calibration> {
        let place = format!("{CALIBRATION}.{}", features.name());
        let object = self.object(&place, value, &[INVERSE_TEMPERATURES, THRESHOLDS, LONG_TEXTS])?;
        let (key, value) = self.part(&place, object, INVERSE_TEMPERATURES)?;
        let inverse_temperatures = self.inverse_temperatures(&key, value)?;
        let (key, value) = self.part(&place, object, THRESHOLDS)?;
        let thresholds = self.thresholds(&key, value)?;
        let long_texts = object.get(LONG_TEXTS).map(|value| self.long_texts(&place, value)).transpose()?;
        Ok(Calibration { inverse_temperatures, thresholds, long_texts })
    }

    fn long_texts(&self, place: &str, value: &Value) -> Result<LongTexts> {
        let place = format!("{place}.{LONG_TEXTS}");
        let object = self.object(&place, value, &[FROM_EVIDENCE, THRESHOLDS])?;
        let (key, value) = self.part(&place, object, FROM_EVIDENCE)?;
        let Some(from_evidence) = value.as_u64().and_then(|number| usize::try_from(number).ok()) else {
            return Err(self.header.error(format!("{key}: expected a number of rows, 0 or more, found {value}")));
        };
        let (key, value) = self.part(&place, object, THRESHOLDS)?;
        Ok(LongTexts { from_evidence, thresholds: self.thresholds(&key, value)? })
    }

    /// The value of `key` in the object at `place`, and where it is.
    fn part<'v>(&self, place: &str, object: &'v Map<String, Value>, key: &str) -> Result<(String, &'v Value)> {
        let place = format!("{place}.{key}");
        match object.get(key) {
            Some(value) => Ok((place, value)),
            None => Err(self.header.error(format!("{place}: key missing"))),
        }
    }

    fn inverse_temperatures(&self, place: &str, value: &Value) -> Result<Vec<f32>> {
        let Some(values) = value.as_array().filter(|values| !values.is_empty()) else {
            let found = if value.is_array() { "none".to_owned() } else { value.to_string() };
            return Err(self.header.error(format!("{place}: expected a list of one or more numbers, found {found}")));
        };
        let number = |(index, value): (usize, &Value)| match value.as_f64().map(|number| number as f32) {
            Some(number) if number > 0.0 && number.is_finite() => Ok(number),
            _ => Err(self.header.error(format!("{place}[{index}]: expected a positive, finite number, found {value}"))),
        };
        values.iter().enumerate().map(number).collect()
    }

    /// One for each language: 0 for those that are not named.
    fn thresholds(&self, place: &str, value: &Value) -> Result<Vec<f32>> {
        let Value::Object(object) = value else {
            return Err(self.header.error(format!("{place}: expected a JSON object, found {value}")));
        };
        let mut thresholds = vec![0.0; self.languages.len()];
        for (name, value) in object {
            let Some(index) = self.languages.iter().position(|language| language == name) else {
                return Err(self.header.error(format!("{place}: expected languages of the table, found {name:?}")));
            };
            thresholds[index] = match value.as_f64() {
                Some(threshold) if (0.0..=1.0).contains(&threshold) => threshold as f32,
                _ => {
                    let reason =
                        format!("{place}.{}: expected a number from 0 to 1, found {value}", name.escape_debug());
                    return Err(self.header.error(reason));
                }
            };
        }
        Ok(thresholds)
    }
}
