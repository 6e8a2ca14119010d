//! The trainer's learned rows, averaged and updated in numpy arrays where they lie.

use numpy::ndarray::{Ix1, Ix2};
use numpy::{IntoPyArray, PyArray2, PyArrayMethods, PyReadwriteArray2, PyUntypedArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use super::arrays::{borrow, in_place};
use super::release::require_numpy;
use crate::kernel::Kernel;
use crate::rows::{Adam, Learned, average, step};
use crate::segments::Segments;

#[pyfunction]
#[pyo3(signature = (table, rows, offsets, *, threads=None))]
pub fn average_rows<'py>(
    py: Python<'py>,
    table: &Bound<'py, PyAny>,
    rows: &Bound<'py, PyAny>,
    offsets: &Bound<'py, PyAny>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    require_numpy(py)?;
    let table = borrow::<f32, Ix2>("table", table)?;
    let (rows, offsets) = (borrow::<i32, Ix1>("rows", rows)?, borrow::<i32, Ix1>("offsets", offsets)?);
    let &[n_rows, columns] = table.shape() else { unreachable!("a table has two dimensions") };
    let table = in_place("table", &table)?;
    let texts = Segments::new("rows", in_place("rows", &rows)?, in_place("offsets", &offsets)?, n_rows)?;
    let averages = py.detach(|| {
        let mut averages = vec![0.0; texts.len() * columns];
        average(Kernel::chosen()?, table, columns, texts, threads, &mut averages).map(|()| averages)
    })?;
    averages.into_pyarray(py).reshape([texts.len(), columns])
}

#[pyfunction]
#[pyo3(signature = (table, first, second, rows, offsets, gradient, *, rate, betas, epsilon, step_number, threads=None))]
#[allow(clippy::too_many_arguments)]
pub fn adam_rows(
    py: Python<'_>,
    table: &Bound<'_, PyAny>,
    first: &Bound<'_, PyAny>,
    second: &Bound<'_, PyAny>,
    rows: &Bound<'_, PyAny>,
    offsets: &Bound<'_, PyAny>,
    gradient: &Bound<'_, PyAny>,
    rate: f64,
    betas: [f64; 2],
    epsilon: f64,
    step_number: u32,
    threads: Option<usize>,
) -> PyResult<()> {
    require_numpy(py)?;
    let adam = Adam::new(rate, betas, epsilon, step_number)?;
    let (rows, offsets) = (borrow::<i32, Ix1>("rows", rows)?, borrow::<i32, Ix1>("offsets", offsets)?);
    let gradient = borrow::<f32, Ix2>("gradient", gradient)?;
    let gradient = in_place("gradient", &gradient)?;
    let mut table = change("table", table)?;
    let &[n_rows, columns] = table.shape() else { unreachable!("a table has two dimensions") };
    let texts = Segments::new("rows", in_place("rows", &rows)?, in_place("offsets", &offsets)?, n_rows)?;
    let (mut first, mut second) = (change("first", first)?, change("second", second)?);
    let learned =
        Learned { values: table.as_slice_mut()?, first: first.as_slice_mut()?, second: second.as_slice_mut()? };
    Ok(py.detach(|| step(Kernel::chosen()?, &adam, learned, columns, texts, gradient, threads))?)
}

/// The matrix `value` of float32, to be written to.
fn change<'py>(name: &str, value: &Bound<'py, PyAny>) -> PyResult<PyReadwriteArray2<'py, f32>> {
    // Refuses what reading would, in the same words.
    let read = borrow::<f32, Ix2>(name, value)?;
    in_place(name, &read)?;
    drop(read);
    value
        .extract()
        .map_err(|_| PyTypeError::new_err(format!("{name}: expected a writable array, found a read-only one")))
}
