//! `EmbeddingBag`: weighted sums of rows for the trainer, read from numpy arrays where they lie.

use numpy::ndarray::{Ix1, Ix2};
use numpy::npyffi::{_PyArray_GET_ITEM_DATA, NPY_ARRAY_WRITEABLE};
use numpy::{
    IntoPyArray, PyArray1, PyArray2, PyArrayDescrMethods, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use super::arrays::{borrow, in_place};
use super::release::require_numpy;
use crate::bag::{Part, Storage};

#[pyclass(frozen, module = "wldetect._core")]
pub struct EmbeddingBag {
    /// Borrows from `_arrays`, and so is never handed out.
    bag: crate::bag::EmbeddingBag<'static>,
    _arrays: Vec<Py<PyUntypedArray>>,
}

#[pymethods]
impl EmbeddingBag {
    #[new]
    fn new(py: Python<'_>, parts: Vec<Bound<'_, PyAny>>) -> PyResult<Self> {
        require_numpy(py)?;
        let mut arrays = Vec::with_capacity(parts.len());
        let mut views = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let (array, view) = view(&format!("parts[{index}]"), part)?;
            arrays.push(array);
            views.push(view);
        }
        Ok(Self { bag: crate::bag::EmbeddingBag::new(views)?, _arrays: arrays })
    }

    /// (V, D).
    #[getter]
    fn shape(&self) -> (usize, usize) {
        (self.bag.rows(), self.bag.columns())
    }

    #[pyo3(signature = (ids, offsets, weights, *, threads=None))]
    fn forward<'py>(
        &self,
        py: Python<'py>,
        ids: &Bound<'py, PyAny>,
        offsets: &Bound<'py, PyAny>,
        weights: &Bound<'py, PyAny>,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let (ids, offsets) = (borrow::<i32, Ix1>("ids", ids)?, borrow::<i32, Ix1>("offsets", offsets)?);
        let weights = borrow::<f32, Ix1>("weights", weights)?;
        let (ids, offsets) = (in_place("ids", &ids)?, in_place("offsets", &offsets)?);
        let weights = in_place("weights", &weights)?;
        let shape = [offsets.len(), self.bag.columns()];
        let sums = py.detach(|| {
            let mut sums = vec![0.0; shape[0] * shape[1]];
            self.bag.forward(ids, offsets, weights, threads, &mut sums).map(|()| sums)
        })?;
        sums.into_pyarray(py).reshape(shape)
    }

    #[pyo3(signature = (ids, offsets, gradient, *, threads=None))]
    fn backward<'py>(
        &self,
        py: Python<'py>,
        ids: &Bound<'py, PyAny>,
        offsets: &Bound<'py, PyAny>,
        gradient: &Bound<'py, PyAny>,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let (ids, offsets) = (borrow::<i32, Ix1>("ids", ids)?, borrow::<i32, Ix1>("offsets", offsets)?);
        let gradient = borrow::<f32, Ix2>("gradient", gradient)?;
        let (ids, offsets) = (in_place("ids", &ids)?, in_place("offsets", &offsets)?);
        let gradient = in_place("gradient", &gradient)?;
        let dots = py.detach(|| {
            let mut dots = vec![0.0; ids.len()];
            self.bag.backward(ids, offsets, gradient, threads, &mut dots).map(|()| dots)
        })?;
        Ok(dots.into_pyarray(py))
    }
}

/// The matrix in `part`, and what keeps it there.
fn view(name: &str, part: &Bound<'_, PyAny>) -> PyResult<(Py<PyUntypedArray>, Part<'static>)> {
    let refuse = |found: String| {
        let expected = "a read-only, C-contiguous 2-dimensional numpy array of float32, float16 or uint16";
        Err(PyTypeError::new_err(format!("{name}: expected {expected}, found {found}")))
    };
    let Ok(array) = part.cast::<PyUntypedArray>() else {
        return refuse(part.get_type().name()?.to_string());
    };
    let dtype = array.dtype();
    let storage = match (dtype.kind(), dtype.itemsize()) {
        (b'f', 4) => Some(Storage::Float32),
        (b'f', 2) => Some(Storage::Float16),
        (b'u', 2) => Some(Storage::BFloat16),
        _ => None,
    };
    let storage = match storage {
        Some(storage) if array.ndim() == 2 && dtype.is_native_byteorder() == Some(true) => storage,
        _ => return refuse(format!("{}-dimensional {dtype}", array.ndim())),
    };
    if !array.is_c_contiguous() {
        return refuse("another layout".into());
    }
    let (rows, columns) = (array.shape()[0], array.shape()[1]);
    // SAFETY: an array is a valid numpy array object, whose flags and pointer may be read while we are attached.
    let (flags, data) = unsafe {
        let object = _PyArray_GET_ITEM_DATA(array.as_array_ptr().cast_const());
        ((*object).flags, (*object).data.cast::<u8>())
    };
    if flags & NPY_ARRAY_WRITEABLE != 0 {
        return refuse("a writable one".into());
    }
    let bytes = rows * columns * storage.size();
    // SAFETY: a C-contiguous array has its elements end to end from `data`, at any alignment, which bytes do not need.
    // They stay as long as the array does, which is kept beside the view; nobody writes to them through this array,
    // and whoever made it read-only answers for other ways to the same memory, and for mapped files that change.
    let data = if bytes == 0 { &[] } else { unsafe { std::slice::from_raw_parts(data, bytes) } };
    Ok((array.clone().unbind(), Part::new(storage, rows, columns, data)?))
}
