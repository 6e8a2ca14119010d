//! `Ngrams`: the detector's own n-gram rows, for the trainer, so that the two can never differ.

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::release::{interruptible, require_numpy};
use super::texts::{Nones, Texts, lossy};
use crate::ngrams::{Spec, Splitting};

#[pyclass(frozen, module = "wldetect._core")]
pub struct Ngrams(crate::ngrams::Ngrams);

#[pymethods]
impl Ngrams {
    #[new]
    #[pyo3(signature = (*, n_min, n_max, whole_words, max_words, max_letters, rows, splitting))]
    fn new(
        n_min: usize,
        n_max: usize,
        whole_words: bool,
        max_words: usize,
        max_letters: usize,
        rows: u32,
        splitting: &str,
    ) -> PyResult<Self> {
        let splitting = Splitting::from_name(splitting)?;
        let spec = Spec { n_min, n_max, whole_words, max_words, max_letters, rows, splitting };
        Ok(Self(crate::ngrams::Ngrams::new(spec)?))
    }

    fn rows<'py>(&self, py: Python<'py>, text: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyArray1<u32>>> {
        require_numpy(py)?;
        let text = lossy(text);
        Ok(py.detach(|| self.0.rows(&text)).into_pyarray(py))
    }

    /// Rows of all texts end to end, and where each text starts in them: `offsets[i]..offsets[i + 1]`.
    #[pyo3(signature = (texts, threads=None))]
    #[allow(clippy::type_complexity)]
    fn rows_batch<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        threads: Option<usize>,
    ) -> PyResult<(Bound<'py, PyArray1<u32>>, Bound<'py, PyArray1<i64>>)> {
        require_numpy(py)?;
        let texts = Texts::collect("texts", "an iterable of str", texts, Nones::Refused)?;
        // No text is None, so none is left out.
        let texts: Vec<_> = texts.borrow(py)?.into_iter().flatten().collect();
        let found = interruptible(py, |look| self.0.rows_batch(&texts, threads, look))?;
        Ok((found.ids.into_pyarray(py), found.offsets.into_pyarray(py)))
    }
}
