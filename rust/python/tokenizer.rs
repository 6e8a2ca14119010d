//! `Tokenizer`: the detector's own tokenizing, for the trainer, so that the two can never differ.

use std::path::PathBuf;

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::release::{interruptible, require_numpy};
use super::texts::{Nones, Texts, lossy};

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

    /// Writes the compiled form; false when there is none.
    fn save_compiled(&self, py: Python<'_>, path: PathBuf) -> PyResult<bool> {
        Ok(py.detach(|| self.0.save_compiled(&path))?)
    }

    #[pyo3(signature = (text, max_length=None))]
    fn encode<'py>(
        &self,
        py: Python<'py>,
        text: &Bound<'py, PyString>,
        max_length: Option<usize>,
    ) -> PyResult<Bound<'py, PyArray1<u32>>> {
        require_numpy(py)?;
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
        require_numpy(py)?;
        let texts = Texts::collect("texts", "an iterable of str", texts, Nones::Refused)?;
        // No text is None, so none is left out.
        let texts: Vec<_> = texts.borrow(py)?.into_iter().flatten().collect();
        let limit = max_length.unwrap_or(usize::MAX);
        let encoded = interruptible(py, |look| self.0.encode_batch(&texts, limit, threads, look))?;
        Ok((encoded.ids.into_pyarray(py), encoded.offsets.into_pyarray(py)))
    }
}
