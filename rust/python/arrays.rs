//! FP8 and pooling over numpy arrays, borrowed where they are contiguous.

use numpy::ndarray::{ArrayD, ArrayViewD, Dimension, Ix1, Ix2, IxDyn};
use numpy::{
    Element, IntoPyArray, PyArray1, PyArrayDyn, PyArrayMethods, PyReadonlyArray, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::fp8::Format;
use crate::pooling::{self, Pooling, Scratch};
use crate::table::{DType, Table};

/// The array `value` of `T`, borrowed, with the dimensions of `D`.
///
/// Typed references must be aligned, which numpy arrays (a field of packed records, say) need not be.
pub(super) fn borrow<'py, T: Element, D: Dimension>(
    name: &str,
    value: &Bound<'py, PyAny>,
) -> PyResult<PyReadonlyArray<'py, T, D>> {
    if let Ok(array) = value.extract::<PyReadonlyArray<'py, T, D>>()
        && array.is_aligned()
    {
        return Ok(array);
    }
    let rank = D::NDIM.map_or_else(String::new, |rank| format!("{rank}-dimensional "));
    let found = match value.cast::<PyUntypedArray>() {
        Ok(array) if !array.is_aligned() => "a misaligned one".to_owned(),
        Ok(array) => format!("{}-dimensional {}", array.ndim(), array.dtype()),
        Err(_) => value.get_type().name()?.to_string(),
    };
    let expected = numpy::dtype::<T>(value.py());
    Err(PyTypeError::new_err(format!("{name}: expected a {rank}numpy array of {expected}, found {found}")))
}

/// The elements of an array that is already laid out in C order.
pub(super) fn in_place<'a, T: Element, D: Dimension>(
    name: &str,
    array: &'a PyReadonlyArray<'_, T, D>,
) -> PyResult<&'a [T]> {
    // `as_slice` alone would take Fortran order too, and give the elements of a table transposed.
    if array.is_c_contiguous() {
        Ok(array.as_slice()?)
    } else {
        Err(PyTypeError::new_err(format!("{name}: expected a C-contiguous array, found another layout")))
    }
}

/// The elements in C order: borrowed where the array is laid out so, copied otherwise.
fn c_order<'a, T: Clone>(view: &'a ArrayViewD<'_, T>) -> std::borrow::Cow<'a, [T]> {
    match view.as_slice() {
        Some(slice) => slice.into(),
        None => view.iter().cloned().collect::<Vec<_>>().into(),
    }
}

#[pyfunction]
pub fn fp8_decode<'py>(
    py: Python<'py>,
    codes: &Bound<'py, PyAny>,
    format: &str,
) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
    let format = Format::from_name(format)?;
    let codes = borrow::<u8, IxDyn>("codes", codes)?;
    let view = codes.as_array();
    let values = py.detach(|| {
        let mut values = ArrayD::<f32>::zeros(view.raw_dim());
        let target = values.as_slice_mut().expect("a fresh array is contiguous");
        format.decode_slice(&c_order(&view), target).map(|()| values)
    })?;
    Ok(values.into_pyarray(py))
}

#[pyfunction]
pub fn fp8_encode<'py>(
    py: Python<'py>,
    values: &Bound<'py, PyAny>,
    format: &str,
) -> PyResult<Bound<'py, PyArrayDyn<u8>>> {
    let format = Format::from_name(format)?;
    let values = borrow::<f32, IxDyn>("values", values)?;
    let view = values.as_array();
    let codes = py.detach(|| {
        let mut codes = ArrayD::<u8>::zeros(view.raw_dim());
        let target = codes.as_slice_mut().expect("a fresh array is contiguous");
        format.encode_slice(&c_order(&view), target).map(|()| codes)
    })?;
    Ok(codes.into_pyarray(py))
}

#[pyfunction]
#[pyo3(signature = (table, ids, *, dtype, pooling, scale=1.0, mask=None))]
pub fn pool<'py>(
    py: Python<'py>,
    table: &Bound<'py, PyAny>,
    ids: &Bound<'py, PyAny>,
    dtype: &str,
    pooling: &str,
    scale: f32,
    mask: Option<&Bound<'py, PyAny>>,
) -> PyResult<Option<Bound<'py, PyArray1<f32>>>> {
    let (dtype, pooling) = (DType::from_name(dtype)?, Pooling::from_name(pooling)?);
    let ids = borrow::<u32, Ix1>("ids", ids)?;
    let mask = mask.map(|mask| borrow::<u8, Ix1>("mask", mask)).transpose()?;
    let (ids, mask) = (in_place("ids", &ids)?, mask.as_ref().map(|mask| in_place("mask", mask)).transpose()?);
    let run = |rows: usize, columns: usize, data: &[u8]| {
        py.detach(|| pooled(&Table::new(dtype, rows, columns, scale, data, mask)?, ids, pooling))
    };
    let logits = match dtype {
        DType::Fp8(_) => {
            let values = borrow::<u8, Ix2>("table", table)?;
            run(values.shape()[0], values.shape()[1], in_place("table", &values)?)
        }
        DType::Float32 => {
            let values = borrow::<f32, Ix2>("table", table)?;
            run(values.shape()[0], values.shape()[1], bytemuck::cast_slice(in_place("table", &values)?))
        }
    }?;
    Ok(logits.map(|logits| logits.into_pyarray(py)))
}

fn pooled(table: &Table<'_>, ids: &[u32], pooling: Pooling) -> crate::Result<Option<Vec<f32>>> {
    let mut logits = vec![0.0; table.columns()];
    let count = pooling::pool(table, ids, pooling, &mut Scratch::default(), &mut logits)?;
    Ok((count > 0).then_some(logits))
}

#[pyfunction]
pub fn softmax<'py>(py: Python<'py>, logits: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArray1<f32>>> {
    let logits = borrow::<f32, Ix1>("logits", logits)?;
    let probabilities = PyArray1::from_slice(py, &logits.as_array().to_vec());
    pooling::softmax(probabilities.readwrite().as_slice_mut()?);
    Ok(probabilities)
}
