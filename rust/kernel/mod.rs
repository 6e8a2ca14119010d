//! The inner loops of gathering, pooling and softmax, and of training's embedding bag, compiled for each level of vector
//! instructions.
//!
//! A [`Level`] names a set of instructions; a [`Kernel`] is a level that this CPU has. Which one runs is chosen once
//! a process: the best there is, or the one that the environment variable `WLDETECT_KERNEL` names. Every level gives
//! the same bits: sums of FP8 rows are exact integers, and floating-point sums have a fixed order.
//!
//! `generic` holds the sum of E3M4 rows, the loop that matters most, once for all vector widths; `avx2`, `avx512` and
//! `neon` fill in its few operations. The loops of `portable` are left to the compiler, once for each level. `scalar`
//! is E3M4 without vectors.

use std::sync::OnceLock;

use crate::bag::Storage;
use crate::error::{Error, Result};
use crate::fp8::Format;
use crate::ngrams::Hashing;
use crate::rows::Adam;

/// Compiles the portable loops with the instructions of a level, under their own names.
macro_rules! compile_portable {
    ($features:literal) => {
        compile_portable! { $features:
            fn max_codes(data: &[u8], columns: usize, rows: &[u32], keys: &mut [i8]);
            fn sum_values(values: &[f64; 256], data: &[u8], columns: usize, rows: &[u32], sums: &mut [f64]);
            fn sum_floats(data: &[u8], columns: usize, rows: &[u32], sums: &mut [f64]);
            fn sum_e4m3fn(data: &[u8], columns: usize, rows: &[u32], sums: &mut [i32]);
            fn add_sums(sums: &[i32], totals: &mut [f64]);
            fn hash_ngrams(hashing: crate::ngrams::Hashing, units: &[u32], length: usize, found: &mut [u32]) -> usize;
            fn scale(totals: &[f64], factor: f64, logits: &mut [f32]);
            fn project(numbers: &[f32], blocks: &[f32], logits: &mut [f32]);
            fn decode_e3m4(codes: &[u8], values: &mut [f32]);
            fn decode_e4m3fn(codes: &[u8], values: &mut [f32]);
            fn softmax(logits: &mut [f32], factor: f32);
            fn best(logits: &[f32], factor: f32) -> Option<(usize, f32)>;
            fn add_float32_rows(data: &[u8], columns: usize, rows: &[i32], weights: &[f32], sums: &mut [f32]);
            fn add_float16_rows(data: &[u8], columns: usize, rows: &[i32], weights: &[f32], sums: &mut [f32]);
            fn add_bfloat16_rows(data: &[u8], columns: usize, rows: &[i32], weights: &[f32], sums: &mut [f32]);
            fn dot_float32_rows(data: &[u8], columns: usize, rows: &[i32], vector: &[f32], dots: &mut [f32]);
            fn dot_float16_rows(data: &[u8], columns: usize, rows: &[i32], vector: &[f32], dots: &mut [f32]);
            fn dot_bfloat16_rows(data: &[u8], columns: usize, rows: &[i32], vector: &[f32], dots: &mut [f32]);
            fn adam(step: &crate::rows::Adam, values: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32]);
        }
    };
    ($features:literal: $(fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        $(
            #[target_feature(enable = $features)]
            pub(super) fn $name($($argument: $type),*) $(-> $result)? {
                super::portable::$name($($argument),*)
            }
        )*
    };
}

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod bag;
mod generic;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
pub(crate) mod prefetch;
mod scalar;
mod softmax;
#[cfg(test)]
mod tests;

/// Environment variable that forces a level, by [`Level::name`].
pub const VARIABLE: &str = "WLDETECT_KERNEL";

/// A set of vector instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// What every CPU of the target has.
    Scalar,
    /// x86-64 with AVX2: vectors of 32 bytes.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL: vectors of 64 bytes.
    Avx512,
    /// 64-bit Arm: vectors of 16 bytes.
    Neon,
}

impl Level {
    /// Every level, each better than those before it where a CPU has both.
    pub const ALL: [Self; 4] = [Self::Scalar, Self::Avx2, Self::Avx512, Self::Neon];

    /// `scalar`, `avx2`, `avx512` or `neon`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Neon => "neon",
        }
    }

    /// The level called `name`; an error lists the names there are.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name).ok_or_else(|| {
            Error::InvalidArgument(format!(
                "kernel: expected \"scalar\", \"avx2\", \"avx512\" or \"neon\", found {name:?}"
            ))
        })
    }

    /// Whether this CPU has the level's instructions.
    pub fn is_supported(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
            #[cfg(not(target_arch = "aarch64"))]
            Self::Neon => false,
        }
    }

    /// The level of this process: the best one supported, or what `WLDETECT_KERNEL` says. Decided once.
    ///
    /// # Errors
    /// The variable names no level, or one that this CPU does not have.
    pub fn chosen() -> Result<Self> {
        static CHOSEN: OnceLock<std::result::Result<Level, String>> = OnceLock::new();
        let choose = || match std::env::var_os(VARIABLE) {
            None => Ok(Self::best()),
            Some(value) => value
                .to_str()
                .and_then(|name| Self::from_name(name).ok())
                .filter(|l| l.is_supported())
                .ok_or(format!("{VARIABLE}: expected one of {}, found {value:?}", Self::supported().join(", "))),
        };
        CHOSEN.get_or_init(choose).clone().map_err(Error::InvalidArgument)
    }

    fn best() -> Self {
        Self::ALL.into_iter().rfind(|level| level.is_supported()).unwrap_or(Self::Scalar)
    }

    fn supported() -> Vec<&'static str> {
        Self::ALL.into_iter().filter(|level| level.is_supported()).map(Self::name).collect()
    }
}

/// A level that this CPU was found to have, so that its instructions may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel(Level);

/// Calls the function of the kernel's level.
macro_rules! dispatch {
    ($kernel:expr, $function:ident($($argument:expr),*)) => {
        match $kernel.0 {
            Level::Scalar => scalar::$function($($argument),*),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a `Kernel` is made of a supported level alone, so this CPU has AVX2.
            Level::Avx2 => unsafe { avx2::$function($($argument),*) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a `Kernel` is made of a supported level alone, so this CPU has AVX-512 F, BW, DQ and VL.
            Level::Avx512 => unsafe { avx512::$function($($argument),*) },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: a `Kernel` is made of a supported level alone, so this CPU has NEON.
            Level::Neon => unsafe { neon::$function($($argument),*) },
            #[cfg(not(target_arch = "x86_64"))]
            Level::Avx2 | Level::Avx512 => unreachable!("a kernel's level is supported"),
            #[cfg(not(target_arch = "aarch64"))]
            Level::Neon => unreachable!("a kernel's level is supported"),
        }
    };
}

impl Kernel {
    /// The kernel of `level`.
    ///
    /// # Errors
    /// This CPU lacks the level's instructions.
    pub fn new(level: Level) -> Result<Self> {
        if level.is_supported() {
            return Ok(Self(level));
        }
        let supported = Level::supported().join(", ");
        Err(Error::InvalidArgument(format!("kernel: expected one of {supported}, found {}", level.name())))
    }

    /// The kernel of [`Level::chosen`].
    ///
    /// # Errors
    /// As [`Level::chosen`].
    #[inline]
    pub fn chosen() -> Result<Self> {
        Level::chosen().map(Self)
    }

    /// The kernel of [`Level::chosen`], or where the variable is at fault of the best level, for what cannot fail:
    /// every level gives the same bits.
    pub(crate) fn chosen_or_best() -> Self {
        Self(Level::chosen().unwrap_or_else(|_| Level::best()))
    }

    /// Its level.
    pub fn level(self) -> Level {
        self.0
    }

    /// Adds the rows numbered `rows` of a row-major table of `columns` codes a row to `sums`, column by column, each
    /// code as [`Format::multiple`]. `data` must hold whole rows.
    ///
    /// At most [`max_rows`] rows may go into `sums` before it is emptied. Panics when a row is not in `data`.
    pub(crate) fn sum_codes(self, format: Format, data: &[u8], columns: usize, rows: &[u32], sums: &mut [i32]) {
        debug_assert!(rows.len() <= max_rows(format));
        match format {
            Format::E3M4 => dispatch!(self, sum_e3m4(data, columns, rows, sums)),
            Format::E4M3FN => dispatch!(self, sum_e4m3fn(data, columns, rows, sums)),
        }
    }

    /// Raises `keys` to the largest code of each column among `rows`; a key is [`portable::key`] of a code.
    pub(crate) fn max_codes(self, data: &[u8], columns: usize, rows: &[u32], keys: &mut [i8]) {
        dispatch!(self, max_codes(data, columns, rows, keys));
    }

    /// Adds `values[code]` for every code of `rows` to `sums`, column by column and in the order of `rows`.
    pub(crate) fn sum_values(self, values: &[f64; 256], data: &[u8], columns: usize, rows: &[u32], sums: &mut [f64]) {
        dispatch!(self, sum_values(values, data, columns, rows, sums));
    }

    /// Adds little-endian float32 rows to `sums`, column by column and in the order of `rows`.
    pub(crate) fn sum_floats(self, data: &[u8], columns: usize, rows: &[u32], sums: &mut [f64]) {
        dispatch!(self, sum_floats(data, columns, rows, sums));
    }

    /// Adds integer `sums` to `totals`.
    pub(crate) fn add_sums(self, sums: &[i32], totals: &mut [f64]) {
        dispatch!(self, add_sums(sums, totals));
    }

    /// The rows of the n-grams of a word: [`Hashing::ngrams`].
    pub(crate) fn hash_ngrams(self, hashing: Hashing, units: &[u32], length: usize, found: &mut [u32]) -> usize {
        dispatch!(self, hash_ngrams(hashing, units, length, found))
    }

    /// `totals` x `factor`, rounded once.
    pub(crate) fn scale(self, totals: &[f64], factor: f64, logits: &mut [f32]) {
        dispatch!(self, scale(totals, factor, logits));
    }

    /// Adds to `logits` the product of `numbers` with a matrix that has as many rows, [`PROJECTED`] columns of it after one
    /// another in `blocks`. Sums go from the first row to the last, products are rounded before they are added.
    pub(crate) fn project(self, numbers: &[f32], blocks: &[f32], logits: &mut [f32]) {
        dispatch!(self, project(numbers, blocks, logits));
    }

    /// Values of codes; as many of one as of the other.
    pub(crate) fn decode(self, format: Format, codes: &[u8], values: &mut [f32]) {
        match format {
            Format::E3M4 => dispatch!(self, decode_e3m4(codes, values)),
            Format::E4M3FN => dispatch!(self, decode_e4m3fn(codes, values)),
        }
    }

    /// Adds the rows numbered `rows` of a row-major matrix of `columns` numbers a row, each times its weight, to `sums`,
    /// column by column and in the order of `rows`. Panics when a row is not in `data`.
    pub(crate) fn add_rows(
        self,
        storage: Storage,
        data: &[u8],
        columns: usize,
        rows: &[i32],
        weights: &[f32],
        sums: &mut [f32],
    ) {
        match storage {
            Storage::Float32 => dispatch!(self, add_float32_rows(data, columns, rows, weights, sums)),
            Storage::Float16 => dispatch!(self, add_float16_rows(data, columns, rows, weights, sums)),
            Storage::BFloat16 => dispatch!(self, add_bfloat16_rows(data, columns, rows, weights, sums)),
        }
    }

    /// Adds to `dots` the dot product of `vector` with each of the rows numbered `rows`. Panics when a row is not in
    /// `data`.
    pub(crate) fn dot_rows(
        self,
        storage: Storage,
        data: &[u8],
        columns: usize,
        rows: &[i32],
        vector: &[f32],
        dots: &mut [f32],
    ) {
        match storage {
            Storage::Float32 => dispatch!(self, dot_float32_rows(data, columns, rows, vector, dots)),
            Storage::Float16 => dispatch!(self, dot_float16_rows(data, columns, rows, vector, dots)),
            Storage::BFloat16 => dispatch!(self, dot_bfloat16_rows(data, columns, rows, vector, dots)),
        }
    }

    /// Takes a step for one row of a learned table, given its moments and gradient, all as long.
    pub(crate) fn adam(self, step: &Adam, values: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32]) {
        dispatch!(self, adam(step, values, first, second, gradient));
    }

    /// Turns logits, each times `factor`, into probabilities.
    pub(crate) fn softmax(self, logits: &mut [f32], factor: f32) {
        dispatch!(self, softmax(logits, factor));
    }

    /// Index of the largest of `logits`, the first of several, and the probability that [`Self::softmax`] gives it;
    /// `None` for an empty slice.
    pub(crate) fn best(self, logits: &[f32], factor: f32) -> Option<(usize, f32)> {
        dispatch!(self, best(logits, factor))
    }
}

pub(crate) use portable::{PROJECTED, code};

/// How many rows of a format can be summed in `i32`.
pub(crate) const fn max_rows(format: Format) -> usize {
    i32::MAX as usize / format.multiple(format.max_finite_code()) as usize
}
