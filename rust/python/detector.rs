//! `WLDetect`: a loaded model directory.

use std::borrow::Cow;
use std::path::PathBuf;

use numpy::{IntoPyArray, PyArray1};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

use crate::detector::{Detection, Detector};
use crate::table::DType;

#[pyclass(frozen, module = "wldetect")]
pub struct WLDetect {
    path: PathBuf,
    table: DType,
    detector: Detector,
}

#[pymethods]
impl WLDetect {
    #[staticmethod]
    #[pyo3(signature = (path, *, table="e3m4"))]
    fn load(py: Python<'_>, path: PathBuf, table: &str) -> PyResult<Self> {
        let table = DType::from_name(table)?;
        let detector = py.detach(|| Detector::load(&path, table))?;
        Ok(Self { path, table, detector })
    }

    /// A `(code, probability)` pair or None for a string; a list of such for a list of strings.
    #[pyo3(signature = (text, *, threads=None))]
    fn predict<'py>(
        &self,
        py: Python<'py>,
        text: &Bound<'py, PyAny>,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Ok(text) = text.cast::<PyString>() {
            let text = lossy(text);
            let found = py.detach(|| self.detector.detect(&text))?;
            return self.pair(found).into_pyobject(py);
        }
        let texts = borrow_texts(text)?;
        let found = py.detach(|| self.detector.detect_batch(&texts, threads))?;
        Ok(PyList::new(py, found.into_iter().map(|detection| self.pair(detection)))?.into_any())
    }

    fn probabilities<'py>(
        &self,
        py: Python<'py>,
        text: &Bound<'py, PyString>,
    ) -> PyResult<Option<Bound<'py, PyArray1<f32>>>> {
        let text = lossy(text);
        let scores = py.detach(|| self.detector.probabilities(&text))?;
        Ok(scores.map(|scores| scores.into_pyarray(py)))
    }

    #[getter]
    fn languages(&self) -> Vec<String> {
        self.detector.languages().to_vec()
    }

    #[getter]
    fn pooling(&self) -> &'static str {
        self.detector.metadata().pooling.name()
    }

    #[getter]
    fn max_sequence_length(&self) -> usize {
        self.detector.metadata().max_sequence_length
    }

    fn __repr__(&self) -> String {
        let languages = self.detector.languages().len();
        format!("WLDetect({:?}, table={:?}, languages={languages})", self.path, self.table.name())
    }
}

impl WLDetect {
    fn pair(&self, found: Option<Detection>) -> Option<(&str, f32)> {
        found.map(|Detection { language, probability }| (self.detector.languages()[language].as_str(), probability))
    }
}

/// The text of a Python string, borrowed; a lone surrogate, which UTF-8 has no place for, becomes U+FFFD three times.
pub fn lossy<'a>(text: &'a Bound<'_, PyString>) -> Cow<'a, str> {
    text.to_string_lossy()
}

/// The texts of a sequence of Python strings, taken once for the whole batch.
pub fn borrow_texts(texts: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    let iterator = texts.try_iter().map_err(|_| wrong_text(texts))?;
    iterator
        .map(|item| {
            let item = item?;
            let text = item.cast::<PyString>().map_err(|_| wrong_text(&item))?;
            Ok(lossy(text).into_owned())
        })
        .collect()
}

fn wrong_text(found: &Bound<'_, PyAny>) -> PyErr {
    let name = found.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!("text: expected str or an iterable of str, found {name}"))
}
