//! What a lookup table's metadata say about probabilities: the keys `calibration` and `hidden_languages`.

use serde_json::{Map, Value};

use super::header::Header;
use crate::answers::{Calibration, Familiarity, UNKNOWN};
use crate::detector::Features;
use crate::error::Result;

/// Key of a JSON object with a calibration for some or all ways to use the model, by [`Features::name`].
const CALIBRATION: &str = "calibration";
/// Key of a JSON list of the languages that are not reported.
const HIDDEN: &str = "hidden_languages";
const INVERSE_TEMPERATURES: &str = "inverse_temperatures";
const THRESHOLDS: &str = "thresholds";
const FAMILIARITY: &str = "familiarity";
const FROM_EVIDENCE: &str = "from_evidence";
const ODDS_WEIGHTS: &str = "odds_weights";
const LEAST: &str = "least";

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
        let object = self.object(&place, value, &[INVERSE_TEMPERATURES, THRESHOLDS, FAMILIARITY])?;
        let (key, value) = self.part(&place, object, INVERSE_TEMPERATURES)?;
        let inverse_temperatures = self.inverse_temperatures(&key, value)?;
        let (key, value) = self.part(&place, object, THRESHOLDS)?;
        let thresholds =
            self.by_language(&key, value, 0.0, "a number from 0 to 1", |threshold| (0.0..=1.0).contains(&threshold))?;
        let familiarity = object.get(FAMILIARITY).map(|value| self.familiarity(&place, value)).transpose()?;
        Ok(Calibration { inverse_temperatures, thresholds, familiarity })
    }

    fn familiarity(&self, place: &str, value: &Value) -> Result<Familiarity> {
        let place = format!("{place}.{FAMILIARITY}");
        let object = self.object(&place, value, &[FROM_EVIDENCE, ODDS_WEIGHTS, LEAST])?;
        let (key, value) = self.part(&place, object, FROM_EVIDENCE)?;
        let Some(from_evidence) = value.as_u64().and_then(|number| usize::try_from(number).ok()) else {
            return Err(self.header.error(format!("{key}: expected a number of rows, 0 or more, found {value}")));
        };
        let (key, value) = self.part(&place, object, ODDS_WEIGHTS)?;
        let finite = |number: f64| (number as f32).is_finite();
        let odds_weights =
            self.by_language(&key, value, 0.0, "a finite number, 0 or more", |weight| weight >= 0.0 && finite(weight))?;
        let (key, value) = self.part(&place, object, LEAST)?;
        // No sum is less.
        let least = self.by_language(&key, value, f32::NEG_INFINITY, "a finite number", finite)?;
        Ok(Familiarity { from_evidence, odds_weights, least })
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

    /// A number for each language, each as `is_one` would have it: `other` for those that are not named.
    fn by_language(
        &self,
        place: &str,
        value: &Value,
        other: f32,
        expected: &str,
        is_one: impl Fn(f64) -> bool,
    ) -> Result<Vec<f32>> {
        let Value::Object(object) = value else {
            return Err(self.header.error(format!("{place}: expected a JSON object, found {value}")));
        };
        let mut numbers = vec![other; self.languages.len()];
        for (name, value) in object {
            let Some(index) = self.languages.iter().position(|language| language == name) else {
                return Err(self.header.error(format!("{place}: expected languages of the table, found {name:?}")));
            };
            numbers[index] = match value.as_f64().filter(|&number| is_one(number)) {
                Some(number) => number as f32,
                None => {
                    let reason = format!("{place}.{}: expected {expected}, found {value}", name.escape_debug());
                    return Err(self.header.error(reason));
                }
            };
        }
        Ok(numbers)
    }
}
