//! A lookup table: rows of logits of tokens, one column per language, borrowed from wherever its bytes are.

use std::sync::OnceLock;

use crate::error::{Error, Result};
use crate::fp8::Format;

/// How a table's values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// One byte a value, in the given format.
    Fp8(Format),
    /// Four little-endian bytes a value: the table before quantization, to measure what quantization costs.
    Float32,
}

impl DType {
    /// Every dtype, default first.
    pub const ALL: [Self; 3] = [Self::Fp8(Format::E3M4), Self::Fp8(Format::E4M3FN), Self::Float32];

    /// `e3m4`, `e4m3fn` or `float32`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fp8(format) => format.name(),
            Self::Float32 => "float32",
        }
    }

    /// The dtype called `name`; an error lists the names there are.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|dtype| dtype.name() == name).ok_or_else(|| {
            Error::InvalidArgument(format!("table: expected \"e3m4\", \"e4m3fn\" or \"float32\", found {name:?}"))
        })
    }

    /// The id that stands for it in the tensor `dtype` of a table file.
    pub const fn id(self) -> u8 {
        match self {
            Self::Fp8(Format::E3M4) => 26,
            Self::Fp8(Format::E4M3FN) => 0,
            Self::Float32 => 1,
        }
    }

    /// The dtype of an id, if it is one.
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|dtype| dtype.id() == id)
    }

    /// Bytes a value.
    pub const fn size(self) -> usize {
        match self {
            Self::Fp8(_) => 1,
            Self::Float32 => 4,
        }
    }

    /// Name of the file that holds a table of this dtype in a model directory.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Fp8(Format::E3M4) => "lookup_table_fp8_e3m4.safetensors",
            Self::Fp8(Format::E4M3FN) => "lookup_table_fp8_e4m3fn.safetensors",
            Self::Float32 => "lookup_table_float32.safetensors",
        }
    }
}

/// Which row, if any, a token has.
#[derive(Clone, Copy)]
enum TokenRows<'a> {
    /// Token i has row i.
    Own,
    /// The same, but tokens of a byte other than 0 have none.
    Unmasked(&'a [u8]),
    /// The number of each token's row, little-endian, or [`NO_ROW`].
    Listed(&'a [[u8; 4]]),
}

/// A validated view of a table of `rows` x `columns` values; stored value x scale = logit.
#[derive(Clone)]
pub struct Table<'a> {
    dtype: DType,
    rows: usize,
    columns: usize,
    scale: f32,
    data: &'a [u8],
    token_rows: TokenRows<'a>,
    /// e^((value - largest value) x scale) of each 8-bit code, made when logsumexp first asks for it.
    exponentials: OnceLock<Box<[f64; 256]>>,
}

/// Stands for a token's row where it has none.
const NO_ROW: i32 = -1;
/// No token: there are fewer.
const NO_TOKEN: usize = usize::MAX;

/// Largest range of logits whose exponentials are kept: e^-700 is a normal `f64`, with room to sum.
const LARGEST_RANGE: f64 = 700.0;

impl<'a> Table<'a> {
    /// A view of row-major `data`, with an optional `mask` of one byte a row: non-zero leaves the row out of pooling.
    ///
    /// # Errors
    /// The sizes disagree, the shape overflows, or the scale is not a positive finite number or takes the format's
    /// values out of the range of `f32`.
    pub fn new(
        dtype: DType,
        rows: usize,
        columns: usize,
        scale: f32,
        data: &'a [u8],
        mask: Option<&'a [u8]>,
    ) -> Result<Self> {
        let invalid = |text: String| Err(Error::InvalidArgument(text));
        let expected = rows.checked_mul(columns).and_then(|values| values.checked_mul(dtype.size()));
        if expected != Some(data.len()) {
            return invalid(format!(
                "table: shape {rows} x {columns} of {} disagrees with {} bytes of data",
                dtype.name(),
                data.len()
            ));
        }
        if !(scale.is_finite() && scale > 0.0) {
            return invalid(format!("table: expected a positive finite scale, found {scale}"));
        }
        if let Some(mask) = mask
            && mask.len() != rows
        {
            return invalid(format!("mask: expected one byte for each of {rows} rows, found {}", mask.len()));
        }
        if let DType::Fp8(format) = dtype
            && !(format.max_finite() * scale).is_finite()
        {
            return invalid(format!("table: expected a scale that keeps logits finite, found {scale:e}"));
        }
        let token_rows = mask.map_or(TokenRows::Own, TokenRows::Unmasked);
        Ok(Self { dtype, rows, columns, scale, data, token_rows, exponentials: OnceLock::new() })
    }

    /// The table with rows of some tokens only: token i has the row of number `row_of_token[i]` (int32, little-endian),
    /// or none where that is -1. It takes the place of a mask.
    ///
    /// # Errors
    /// A number is neither -1 nor that of a row, or a row is not that of exactly one token.
    pub fn with_token_rows(self, row_of_token: &'a [[u8; 4]]) -> Result<Self> {
        let invalid = |text: String| Err(Error::InvalidArgument(format!("row_of_token: {text}")));
        // Before anything is as long as there are rows: without columns they take no bytes, and are of any number.
        if row_of_token.len() < self.rows {
            let found = row_of_token.len();
            return invalid(format!("expected a token for each of {} rows, found {found} tokens", self.rows));
        }
        let mut owners = vec![NO_TOKEN; self.rows];
        for (token, &number) in row_of_token.iter().enumerate() {
            let number = i32::from_le_bytes(number);
            if number == NO_ROW {
                continue;
            }
            let Some(owner) = usize::try_from(number).ok().and_then(|row| owners.get_mut(row)) else {
                return invalid(format!("expected -1 or a row below {}, found {number} for token {token}", self.rows));
            };
            if *owner != NO_TOKEN {
                return invalid(format!(
                    "expected a row of its own for token {token}, found {number}, that of {owner}"
                ));
            }
            *owner = token;
        }
        if let Some(row) = owners.iter().position(|&owner| owner == NO_TOKEN) {
            return invalid(format!("expected a token for each of {} rows, found none for row {row}", self.rows));
        }
        Ok(Self { token_rows: TokenRows::Listed(row_of_token), ..self })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns: languages.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How the values are stored.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The number of the row by which the token `id` takes part in pooling; `None`: it has no row, or a masked one.
    #[inline]
    pub fn row_of(&self, id: u32) -> Option<u32> {
        let place = id as usize;
        match self.token_rows {
            TokenRows::Own => (place < self.rows).then_some(id),
            TokenRows::Unmasked(mask) => mask.get(place).is_some_and(|&byte| byte == 0).then_some(id),
            TokenRows::Listed(rows) => {
                rows.get(place).and_then(|&number| u32::try_from(i32::from_le_bytes(number)).ok())
            }
        }
    }

    /// Leaves in `rows` the numbers of the rows of `ids` that take part, in the order of the ids.
    pub fn rows_of(&self, ids: &[u32], rows: &mut Vec<u32>) {
        rows.clear();
        rows.extend(ids.iter().filter_map(|&id| self.row_of(id)));
    }

    /// Index of the first value whose logit is infinity or NaN as `f32`, if there is one. Reads the whole table.
    pub fn first_non_finite(&self) -> Option<usize> {
        match self.dtype {
            DType::Fp8(format) => {
                // A whole block is tested without branches first, because nearly every table is clean.
                let block = 1 << 16;
                let bad = self
                    .data
                    .chunks(block)
                    .position(|codes| codes.iter().fold(false, |bad, &code| bad | !format.is_finite(code)))?;
                self.data[bad * block..].iter().position(|&code| !format.is_finite(code)).map(|i| bad * block + i)
            }
            DType::Float32 => self.data.chunks_exact(4).position(|bytes| !(read_f32(bytes) * self.scale).is_finite()),
        }
    }

    /// A bound of the magnitude of every logit. Reads the whole table if it is of float32.
    pub fn largest(&self) -> f64 {
        let stored = match self.dtype {
            DType::Fp8(format) => f64::from(format.max_finite()),
            DType::Float32 => {
                self.data.chunks_exact(4).fold(0.0, |largest, bytes| f64::from(read_f32(bytes).abs()).max(largest))
            }
        };
        stored * f64::from(self.scale)
    }

    /// What a stored value is multiplied by to give a logit.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// What whole numbers of [`crate::pooling::sum_rows`] count: the format's smallest value; for float32, 1.
    pub fn unit(&self) -> f64 {
        match self.dtype {
            DType::Fp8(format) => f64::from(format.step()),
            DType::Float32 => 1.0,
        }
    }

    /// The stored bytes, row after row.
    pub(crate) fn data(&self) -> &'a [u8] {
        self.data
    }

    /// e^((value - largest) x scale) of each code of `format`, the table's, and that largest logit; `None` where a
    /// sum of them could underflow. Codes that are not finite have none: 0 for them.
    pub(crate) fn exponentials(&self, format: Format) -> Option<(&[f64; 256], f64)> {
        let (largest, scale) = (f64::from(format.max_finite()), f64::from(self.scale));
        if 2.0 * largest * scale > LARGEST_RANGE {
            return None;
        }
        let values = self.exponentials.get_or_init(|| {
            let of_value =
                |value: f32| if value.is_finite() { ((f64::from(value) - largest) * scale).exp() } else { 0.0 };
            Box::new(format.decode_table().map(of_value))
        });
        Some((values, largest * scale))
    }

    /// Calls `each(column, value)` for every stored value (not yet scaled) of row `id`, in order. The row must exist.
    #[inline]
    pub(crate) fn for_each_value(&self, id: u32, mut each: impl FnMut(usize, f64)) {
        let width = self.columns * self.dtype.size();
        let row = &self.data[id as usize * width..][..width];
        match self.dtype {
            DType::Fp8(format) => {
                let values = format.decode_table();
                for (column, &code) in row.iter().enumerate() {
                    each(column, f64::from(values[code as usize]));
                }
            }
            DType::Float32 => {
                for (column, bytes) in row.chunks_exact(4).enumerate() {
                    each(column, f64::from(read_f32(bytes)));
                }
            }
        }
    }
}

impl std::fmt::Debug for Table<'_> {
    /// Without its megabytes.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Table({} x {}, {}, scale {})", self.rows, self.columns, self.dtype.name(), self.scale)
    }
}

#[inline]
fn read_f32(bytes: &[u8]) -> f32 {
    f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
