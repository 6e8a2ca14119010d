//! Batches without the interpreter, which is taken back now and then to see whether a signal has come.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// Runs `work` with the interpreter released. `work` is given a function to ask whether it is to stop, which it is when
/// the handler of a signal has raised an exception: Ctrl-C's KeyboardInterrupt, or any other. That comes through.
pub fn interruptible<R: Send>(
    py: Python<'_>,
    work: impl FnOnce(&mut dyn FnMut() -> bool) -> crate::Result<R> + Send,
) -> PyResult<R> {
    let mut raised = None;
    let mut look = || {
        raised = Python::attach(|py| py.check_signals()).err();
        raised.is_some()
    };
    let result = py.detach(|| work(&mut look));
    match raised {
        Some(exception) => Err(exception),
        None => Ok(result?),
    }
}

/// ModuleNotFoundError, rather than a panic when the first array is made, where there is no numpy.
pub fn require_numpy(py: Python<'_>) -> PyResult<()> {
    static IMPORTED: PyOnceLock<()> = PyOnceLock::new();
    IMPORTED.get_or_try_init(py, || py.import("numpy").map(drop)).map(drop)
}
