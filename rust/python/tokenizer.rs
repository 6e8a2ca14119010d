//! `Tokenizer`: the detector's own tokenizing, for the trainer, so that the two can never differ.

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use rayon::prelude::*;

use super::detector::{borrow_texts, lossy};
use crate::detector::in_parallel;

#[pyclass(frozen, module = "wldetect._core")]
pub struct Tokenizer(crate::Tokenizer);

#[pymethods]
impl Tokenizer {
    #[new]
    fn new(py: Python<'_>, json: &str) -> PyResult<Self> {
        Ok(Self(py.detach(|| crate::Tokenizer::from_json(json.as_bytes()))?))
    }

    #[getter]
    fn vocab_size(&self) -> usize {
        self.0.vocab_size()
    }

    #[getter]
    fn sha256(&self) -> &str {
        self.0.sha256()
    }

    #[pyo3(signature = (text, max_length=None))]
    fn encode<'py>(
        &self,
        py: Python<'py>,
        text: &Bound<'py, pyo3::types::PyString>,
        max_length: Option<usize>,
    ) -> PyResult<Bound<'py, PyArray1<u32>>> {
        let text = lossy(text);
        let ids = py.detach(|| self.0.encode(&text, max_length.unwrap_or(usize::MAX)))?;
        Ok(ids.into_pyarray(py))
    }

    /// Ids of all texts end to end, and where each text starts in them: `offsets[i]..offsets[i + 1]`.
    #[pyo3(signature = (texts, max_length=None, threads=None))]
    #[allow(clippy::type_complexity)]
    fn encode_batch<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        max_length: Option<usize>,
        threads: Option<usize>,
    ) -> PyResult<(Bound<'py, PyArray1<u32>>, Bound<'py, PyArray1<i64>>)> {
        let texts = borrow_texts(texts)?;
        let limit = max_length.unwrap_or(usize::MAX);
        let encoded: Vec<Vec<u32>> = py.detach(|| {
            in_parallel(threads, || {
                texts.par_iter().map(|text| self.0.encode(text, limit)).collect::<crate::Result<_>>()
            })?
        })?;
        let mut offsets = Vec::with_capacity(encoded.len() + 1);
        let mut end = 0_i64;
        offsets.push(end);
        for ids in &encoded {
            end += ids.len() as i64;
            offsets.push(end);
        }
        Ok((encoded.concat().into_pyarray(py), offsets.into_pyarray(py)))
    }
}
