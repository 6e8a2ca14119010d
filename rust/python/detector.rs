//! `WLDetect`: a loaded model directory.

use std::path::{Path, PathBuf};

use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};

use super::release::{interruptible, require_numpy};
use super::texts::{Nones, Texts, lossy};
use crate::answers::{Answer, Hidden, UNKNOWN};
use crate::batch::{self, NO_LANGUAGE};
use crate::detector::{Detector, Features};
use crate::error::Error;
use crate::table::DType;

/// Signals are looked for after this many answers.
const ANSWERS: usize = 1 << 16;
const TEXT_OR_TEXTS: &str = "str or an iterable of str";
/// Name of the directory of the model inside the package.
const PACKAGED_MODEL: &str = "model";

/// Where the model inside the package is: beside this module.
#[pyfunction]
pub fn packaged_model(py: Python<'_>) -> PyResult<PathBuf> {
    let module: PathBuf = py.import("wldetect._core")?.filename()?.extract()?;
    let path = module.with_file_name(PACKAGED_MODEL);
    if path.is_dir() {
        return Ok(path);
    }
    let reason = "expected the model inside the package, found none; give the path of another one, which \
        `wldetect train` makes";
    Err(Error::artifact(&path, reason).into())
}

#[pyclass(frozen, module = "wldetect")]
pub struct WLDetect {
    /// Absolute, so that it holds in a process that is elsewhere.
    path: PathBuf,
    /// Whether it is the model inside the package, wherever that is installed.
    packaged: bool,
    table: DType,
    features: Features,
    hidden: Hidden,
    threshold: Option<f32>,
    detector: Detector,
    /// The codes of the languages, made once for all answers.
    codes: Vec<Py<PyString>>,
    unknown: Py<PyString>,
}

#[pymethods]
impl WLDetect {
    #[staticmethod]
    #[pyo3(signature = (path=None, *, table="e3m4", features="all", hidden="unknown", threshold=None))]
    fn load(
        py: Python<'_>,
        path: Option<PathBuf>,
        table: &str,
        features: &str,
        hidden: &str,
        threshold: Option<f32>,
    ) -> PyResult<Self> {
        let (table, features) = (DType::from_name(table)?, Features::from_name(features)?);
        let hidden = Hidden::from_name(hidden)?;
        let packaged = path.is_none();
        let path = path.map_or_else(|| packaged_model(py), Ok)?;
        let detector = py.detach(|| Detector::load(&path, table, features)?.answering(hidden, threshold))?;
        let codes = detector.languages().iter().map(|code| PyString::intern(py, code).unbind()).collect();
        let path = std::path::absolute(&path).map_err(|error| Error::io(&path, error))?;
        let unknown = PyString::intern(py, UNKNOWN).unbind();
        Ok(Self { path, packaged, table, features, hidden, threshold, detector, codes, unknown })
    }

    /// A `(code, probability)` pair or None for a string; a list of such for an iterable of strings.
    #[pyo3(signature = (text, *, threads=None))]
    fn predict<'py>(
        &self,
        py: Python<'py>,
        text: &Bound<'py, PyAny>,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Ok(text) = text.cast::<PyString>() {
            let text = lossy(text);
            let answer = py.detach(|| self.detector.detect(&text))?;
            return Ok(self.answer(py, answer)?.into_pyobject(py)?);
        }
        let (labels, probabilities) =
            self.batch(py, &Texts::collect("text", TEXT_OR_TEXTS, text, Nones::Kept)?, threads)?;
        let mut answers = Vec::with_capacity(labels.len());
        for (label, probability) in labels.into_iter().zip(probabilities) {
            answers.push(self.answer(py, batch::answer(label, probability))?);
            if answers.len() % ANSWERS == 0 {
                py.check_signals()?;
            }
        }
        Ok(PyList::new(py, answers)?.into_any())
    }

    #[pyo3(signature = (texts, *, threads=None))]
    #[allow(clippy::type_complexity)]
    fn predict_arrays<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        threads: Option<usize>,
    ) -> PyResult<(Bound<'py, PyArray1<i32>>, Bound<'py, PyArray1<f32>>)> {
        require_numpy(py)?;
        let texts = Texts::collect("texts", "an iterable of str", texts, Nones::Kept)?;
        let (labels, probabilities) = self.batch(py, &texts, threads)?;
        Ok((labels.into_pyarray(py), probabilities.into_pyarray(py)))
    }

    /// Float32 [L] or None for a string; float32 [n, L] for an iterable of strings.
    #[pyo3(signature = (text, *, threads=None))]
    fn probabilities<'py>(
        &self,
        py: Python<'py>,
        text: &Bound<'py, PyAny>,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyAny>> {
        require_numpy(py)?;
        if let Ok(text) = text.cast::<PyString>() {
            let text = lossy(text);
            let scores = py.detach(|| self.detector.probabilities(&text))?;
            return Ok(scores.map(|scores| scores.into_pyarray(py)).into_pyobject(py)?);
        }
        let texts = Texts::collect("text", TEXT_OR_TEXTS, text, Nones::Kept)?;
        let texts = texts.borrow(py)?;
        let shape = [texts.len(), self.codes.len()];
        let mut scores = vec![0.0; shape[0] * shape[1]];
        interruptible(py, |look| {
            let text = |index: usize| texts[index].as_deref();
            self.detector.probabilities_each(texts.len(), text, threads, &mut scores, look)
        })?;
        Ok(scores.into_pyarray(py).reshape(shape)?.into_any())
    }

    /// Float32 [n, L], and int64 [n].
    #[pyo3(signature = (texts, *, threads=None))]
    #[allow(clippy::type_complexity)]
    fn logits<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        threads: Option<usize>,
    ) -> PyResult<(Bound<'py, PyArray2<f32>>, Bound<'py, PyArray1<i64>>)> {
        require_numpy(py)?;
        let texts = Texts::collect("texts", "an iterable of str", texts, Nones::Kept)?;
        let texts = texts.borrow(py)?;
        let shape = [texts.len(), self.codes.len()];
        let (mut logits, mut evidence) = (vec![0.0; shape[0] * shape[1]], vec![0; shape[0]]);
        interruptible(py, |look| {
            let text = |index: usize| texts[index].as_deref();
            self.detector.logits_each(texts.len(), text, threads, &mut logits, &mut evidence, look)
        })?;
        Ok((logits.into_pyarray(py).reshape(shape)?, evidence.into_pyarray(py)))
    }

    fn tokenize(&self, py: Python<'_>, text: &Bound<'_, PyString>) -> PyResult<Vec<u32>> {
        let text = lossy(text);
        let limit = self.detector.metadata().max_sequence_length;
        Ok(py.detach(|| self.detector.tokenizer().encode(&text, limit))?)
    }

    #[getter]
    fn languages<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, &self.codes)
    }

    #[getter]
    fn features(&self) -> Vec<&'static str> {
        let tokens = (self.features != Features::Ngrams).then_some("tokens");
        let ngrams = self.detector.ngrams().map(|_| "ngrams");
        tokens.into_iter().chain(ngrams).collect()
    }

    #[getter]
    fn pooling(&self) -> &'static str {
        self.detector.metadata().pooling.name()
    }

    #[getter]
    fn max_sequence_length(&self) -> usize {
        self.detector.metadata().max_sequence_length
    }

    #[getter]
    fn path(&self) -> &Path {
        &self.path
    }

    #[getter]
    fn fingerprint(&self, py: Python<'_>) -> &str {
        // Computing it reads the whole table, and so may waiting for another thread that does.
        py.detach(|| self.detector.fingerprint())
    }

    fn __repr__(&self) -> String {
        let (table, features, languages) = (self.table.name(), self.features.name(), self.codes.len());
        let hidden = match self.hidden {
            Hidden::Unknown => String::new(),
            Hidden::Report => format!(", hidden={:?}", self.hidden.name()),
        };
        let threshold = self.threshold.map_or_else(String::new, |threshold| format!(", threshold={threshold:?}"));
        let path = &self.path;
        format!("WLDetect({path:?}, table={table:?}, features={features:?}{hidden}{threshold}, languages={languages})")
    }

    /// What unpickling calls.
    #[staticmethod]
    #[pyo3(name = "_restore")]
    fn restore(
        py: Python<'_>,
        path: Option<PathBuf>,
        table: &str,
        features: &str,
        hidden: &str,
        threshold: Option<f32>,
        fingerprint: &str,
    ) -> PyResult<Self> {
        let loaded = Self::load(py, path, table, features, hidden, threshold)?;
        let found = loaded.fingerprint(py);
        if found != fingerprint {
            let reason = format!("expected the pickled model, fingerprint {fingerprint}, found fingerprint {found}");
            return Err(Error::artifact(loaded.detector.table_path(), reason).into());
        }
        Ok(loaded)
    }

    /// A detector never changes, so it is its own copy.
    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    /// The path, None for the model inside the package, and what to find there.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let restore = py.get_type::<Self>().getattr("_restore")?;
        let path = (!self.packaged).then(|| self.path.as_os_str());
        let (table, features, hidden) = (self.table.name(), self.features.name(), self.hidden.name());
        let arguments = (path, table, features, hidden, self.threshold, self.fingerprint(py));
        Ok((restore, arguments.into_pyobject(py)?))
    }
}

impl WLDetect {
    /// Label and probability of each text.
    fn batch<'py>(
        &self,
        py: Python<'py>,
        texts: &Texts<'py>,
        threads: Option<usize>,
    ) -> PyResult<(Vec<i32>, Vec<f32>)> {
        let texts = texts.borrow(py)?;
        let (mut labels, mut probabilities) = (vec![NO_LANGUAGE; texts.len()], vec![0.0; texts.len()]);
        interruptible(py, |look| {
            let text = |index: usize| texts[index].as_deref();
            self.detector.detect_each(texts.len(), text, threads, &mut labels, &mut probabilities, look)
        })?;
        Ok((labels, probabilities))
    }

    /// A pair of a code and a probability; None where there is nothing to say.
    fn answer<'py>(&self, py: Python<'py>, answer: Answer) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let (code, probability) = match answer {
            Answer::Nothing => return Ok(None),
            Answer::Unknown { probability } => (&self.unknown, probability),
            Answer::Language(found) => (&self.codes[found.language], found.probability),
        };
        (code.bind(py), probability).into_pyobject(py).map(Some)
    }
}
