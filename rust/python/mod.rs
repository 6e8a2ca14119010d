//! The extension module `wldetect._core`: borrow, release the interpreter, call, map the error. Nothing else.

mod arrays;
mod bag;
mod detector;
mod ngrams;
mod release;
mod rows;
mod texts;
mod tokenizer;

use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError, PyValueError};
use pyo3::prelude::*;

use crate::error::Error;
use crate::kernel::Level;
use crate::ngrams::HASH;
use crate::tokenizer::COMPILED_FILE;

pyo3::import_exception!(wldetect.errors, ArtifactError);

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        match &error {
            // With an error number, Python makes it the right subclass (FileNotFoundError, ...).
            Error::Io { path, source } => match source.raw_os_error() {
                Some(code) => PyOSError::new_err((code, system_message(source), path.clone().into_os_string())),
                None => PyOSError::new_err(error.to_string()),
            },
            Error::Artifact { .. } => ArtifactError::new_err(error.to_string()),
            Error::InvalidArgument(_) | Error::NanEncoded { .. } | Error::Tokenizer(_) => {
                PyValueError::new_err(error.to_string())
            }
            Error::Interrupted => PyKeyboardInterrupt::new_err(()),
        }
    }
}

/// What the system said, without the "(os error N)" that Rust appends and Python prints itself.
fn system_message(source: &std::io::Error) -> String {
    let text = source.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// Name of the kernel level that this process uses.
#[pyfunction]
fn kernel_level() -> PyResult<&'static str> {
    Ok(Level::chosen()?.name())
}

/// The Rust core of WLDetect.
#[pymodule(gil_used = false)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("COMPILED_TOKENIZER", COMPILED_FILE)?;
    module.add("NGRAM_HASH", HASH)?;
    module.add_class::<bag::EmbeddingBag>()?;
    module.add_class::<detector::WLDetect>()?;
    module.add_class::<tokenizer::Tokenizer>()?;
    module.add_class::<ngrams::Ngrams>()?;
    module.add_function(wrap_pyfunction!(kernel_level, module)?)?;
    module.add_function(wrap_pyfunction!(detector::packaged_model, module)?)?;
    module.add_function(wrap_pyfunction!(arrays::fp8_decode, module)?)?;
    module.add_function(wrap_pyfunction!(arrays::fp8_encode, module)?)?;
    module.add_function(wrap_pyfunction!(arrays::pool, module)?)?;
    module.add_function(wrap_pyfunction!(arrays::softmax, module)?)?;
    module.add_function(wrap_pyfunction!(rows::adam_rows, module)?)?;
    module.add_function(wrap_pyfunction!(rows::average_rows, module)?)?;
    Ok(())
}
