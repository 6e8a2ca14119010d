//! Python strings as Rust sees them: kept alive, borrowed where they lie, checked for signals while taken.

use std::borrow::Cow;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyString};

/// Signals are looked for after this many strings, or this many bytes of them.
const STRINGS: usize = 1024;
const BYTES: usize = 4 << 20;

/// The strings of an iterable, by owned references: other threads may change the list while the interpreter is
/// released, but no string goes away, and none ever changes.
pub struct Texts<'py>(Vec<Option<Bound<'py, PyString>>>);

impl<'py> Texts<'py> {
    /// Takes each text of the iterable `texts`; `name` is what errors call it, and `expected` what it may be.
    pub fn collect(name: &str, expected: &str, texts: &Bound<'py, PyAny>, none: Nones) -> PyResult<Self> {
        let py = texts.py();
        let refuse = || PyTypeError::new_err(format!("{name}: expected {expected}, found {}", type_name(texts)));
        // These can be iterated too, but give numbers or single characters.
        if texts.is_instance_of::<PyBytes>()
            || texts.is_instance_of::<PyByteArray>()
            || texts.is_instance_of::<PyString>()
        {
            return Err(refuse());
        }
        let mut taken = Vec::new();
        for item in
            texts.try_iter().map_err(|error| if error.is_instance_of::<PyTypeError>(py) { refuse() } else { error })?
        {
            let item = item?;
            if taken.len() % STRINGS == 0 {
                py.check_signals()?;
            }
            taken.push(match item.cast::<PyString>() {
                Ok(text) => Some(text.clone()),
                Err(_) if item.is_none() && none == Nones::Kept => None,
                Err(_) => {
                    let (position, found) = (taken.len(), type_name(&item));
                    let expected = none.expected();
                    return Err(PyTypeError::new_err(format!(
                        "{name}[{position}]: expected {expected}, found {found}"
                    )));
                }
            });
        }
        Ok(Self(taken))
    }

    /// The texts themselves. ASCII is borrowed as it is; of other text CPython makes UTF-8, once, and keeps it.
    pub fn borrow(&self, py: Python<'py>) -> PyResult<Vec<Option<Cow<'_, str>>>> {
        let mut borrowed = Vec::with_capacity(self.0.len());
        let mut bytes = 0;
        for text in &self.0 {
            let text = text.as_ref().map(lossy);
            bytes += text.as_ref().map_or(0, |text| text.len());
            borrowed.push(text);
            if bytes >= BYTES || borrowed.len() % STRINGS == 0 {
                bytes = 0;
                py.check_signals()?;
            }
        }
        Ok(borrowed)
    }
}

/// What becomes of a None among texts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Nones {
    /// It is a text without an answer.
    Kept,
    /// It is an error.
    Refused,
}

impl Nones {
    fn expected(self) -> &'static str {
        match self {
            Self::Kept => "str or None",
            Self::Refused => "str",
        }
    }
}

/// The text of a Python string, borrowed; a lone surrogate, which UTF-8 has no place for, becomes U+FFFD three times.
pub fn lossy<'a>(text: &'a Bound<'_, PyString>) -> Cow<'a, str> {
    text.to_string_lossy()
}

fn type_name(object: &Bound<'_, PyAny>) -> String {
    object.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string())
}
