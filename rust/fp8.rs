//! The two 8-bit float formats of lookup tables; the only place that knows their bits, beside the vector kernel that
//! sums E3M4.
//!
//! | format | bits (sign, exponent, mantissa) | bias | infinities | NaN | largest finite | smallest subnormal |
//! |---|---|---|---|---|---|---|
//! | E3M4 | 1, 3, 4 | 3 | 0x70, 0xF0 | 0x71-0x7F, 0xF1-0xFF | 15.5 | 2^-6 |
//! | E4M3FN | 1, 4, 3 | 7 | none | 0x7F, 0xFF | 448 | 2^-9 |
//!
//! E3M4 follows the IEEE 754 rules with a smaller field each; E4M3FN is the format of Micikevicius et al., "FP8
//! Formats for Deep Learning" (arXiv:2209.05433). Both agree bit for bit with the `ml_dtypes` package, except that a
//! value too large to represent becomes the largest finite value of its sign rather than infinity or NaN.

use crate::error::{Error, Result};
use crate::kernel::Kernel;

/// An 8-bit float format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// 3 exponent bits, 4 mantissa bits, with infinities. The default: logits need precision more than range.
    E3M4,
    /// 4 exponent bits, 3 mantissa bits, finite only apart from one NaN per sign.
    E4M3FN,
}

impl Format {
    /// Every format, for tests and listings.
    pub const ALL: [Self; 2] = [Self::E3M4, Self::E4M3FN];

    /// The name used in file names and in Python: `e3m4` or `e4m3fn`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::E3M4 => "e3m4",
            Self::E4M3FN => "e4m3fn",
        }
    }

    /// The format called `name`; an error lists the names there are.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| {
            Error::InvalidArgument(format!("FP8 format: expected \"e3m4\" or \"e4m3fn\", found {name:?}"))
        })
    }

    const fn mantissa_bits(self) -> u32 {
        match self {
            Self::E3M4 => 4,
            Self::E4M3FN => 3,
        }
    }

    const fn bias(self) -> i32 {
        match self {
            Self::E3M4 => 3,
            Self::E4M3FN => 7,
        }
    }

    /// The code of the largest finite value; all codes above it (of one sign) are infinity or NaN.
    pub const fn max_finite_code(self) -> u8 {
        match self {
            Self::E3M4 => 0x6F,
            Self::E4M3FN => 0x7E,
        }
    }

    /// The largest finite value: 15.5 or 448.
    pub const fn max_finite(self) -> f32 {
        self.decode_bits(self.max_finite_code())
    }

    /// Whether `code` stands for a finite value.
    #[inline]
    pub const fn is_finite(self, code: u8) -> bool {
        code & 0x7F <= self.max_finite_code()
    }

    /// The value of `code`, exactly. NaN codes give a NaN of the same sign.
    #[inline]
    pub const fn decode(self, code: u8) -> f32 {
        self.decode_table()[code as usize]
    }

    /// The values of all 256 codes.
    #[inline]
    pub const fn decode_table(self) -> &'static [f32; 256] {
        const E3M4: [f32; 256] = Format::E3M4.build_table();
        const E4M3FN: [f32; 256] = Format::E4M3FN.build_table();
        match self {
            Self::E3M4 => &E3M4,
            Self::E4M3FN => &E4M3FN,
        }
    }

    const fn build_table(self) -> [f32; 256] {
        let mut table = [0.0; 256];
        let mut code = 0;
        while code < 256 {
            table[code] = self.decode_bits(code as u8);
            code += 1;
        }
        table
    }

    /// Written without branches, so that the compiler turns a loop over it into vectors.
    #[inline(always)]
    pub(crate) const fn decode_bits(self, code: u8) -> f32 {
        let mantissa_bits = self.mantissa_bits();
        let magnitude = (code & 0x7F) as u32;
        // Subnormals are plain multiples of the smallest value. The fields of a normal number move into those of an
        // f32, and its exponent from one bias to the other.
        let subnormal = (magnitude as f32 * self.step()).to_bits();
        let normal = (magnitude << (23 - mantissa_bits)) + (((127 - self.bias()) as u32) << 23);
        let finite = if magnitude < 1 << mantissa_bits { subnormal } else { normal };
        let infinite = matches!(self, Self::E3M4) && magnitude == 0x70;
        let special = if infinite { f32::INFINITY.to_bits() } else { f32::NAN.to_bits() };
        let bits = if magnitude <= self.max_finite_code() as u32 { finite } else { special };
        f32::from_bits(bits | ((code & 0x80) as u32) << 24)
    }

    /// The smallest positive value, 2^-6 or 2^-9. Every finite value is a whole multiple of it.
    pub const fn step(self) -> f32 {
        power_of_two(1 - self.bias() - self.mantissa_bits() as i32)
    }

    /// The value of `code` in units of [`Self::step`]; infinities and NaN, which no table holds, count 0.
    #[inline(always)]
    pub(crate) const fn multiple(self, code: u8) -> i32 {
        let mantissa_bits = self.mantissa_bits();
        let magnitude = (code & 0x7F) as i32;
        let exponent = magnitude >> mantissa_bits;
        // A subnormal has no implicit leading one, and the exponent of the smallest normal.
        let normal = (exponent != 0) as i32;
        let significand = magnitude & ((1 << mantissa_bits) - 1) | normal << mantissa_bits;
        let multiple = if self.is_finite(code) { significand << (exponent - normal) } else { 0 };
        if code & 0x80 == 0 { multiple } else { -multiple }
    }

    /// [`Self::multiple`] of all 256 codes.
    #[inline]
    pub(crate) const fn multiples(self) -> &'static [i32; 256] {
        const E3M4: [i32; 256] = Format::E3M4.build_multiples();
        const E4M3FN: [i32; 256] = Format::E4M3FN.build_multiples();
        match self {
            Self::E3M4 => &E3M4,
            Self::E4M3FN => &E4M3FN,
        }
    }

    const fn build_multiples(self) -> [i32; 256] {
        let mut table = [0; 256];
        let mut code = 0;
        while code < 256 {
            table[code] = self.multiple(code as u8);
            code += 1;
        }
        table
    }

    /// The code nearest to `value`, ties to the even code, saturating; `None` for NaN.
    #[inline]
    pub fn encode(self, value: f32) -> Option<u8> {
        if value.is_nan() {
            return None;
        }
        let sign = ((value.to_bits() >> 24) & 0x80) as u8;
        // Every f32, subnormals included, is a normal f64 (or zero), so the steps below are exact but for the one
        // rounding that is meant.
        let magnitude = f64::from(value.abs());
        let mantissa_bits = self.mantissa_bits() as i32;
        let smallest_exponent = 1 - self.bias();
        let exponent = ((magnitude.to_bits() >> 52) as i32 - 1023).clamp(smallest_exponent, 127);
        let step = f64::from_bits(((1023 + mantissa_bits - exponent) as u64) << 52);
        let significand = (magnitude * step).round_ties_even();
        // Codes of one sign are consecutive: a significand that rounds up to the next power of two carries into the
        // exponent field by plain addition, and a subnormal has exponent field zero by having a small significand.
        // The cast saturates, which takes care of infinity.
        let code = (i64::from(exponent - smallest_exponent) << mantissa_bits).saturating_add(significand as i64);
        Some(sign | code.min(i64::from(self.max_finite_code())) as u8)
    }

    /// Decodes `codes` into `values`.
    ///
    /// # Errors
    /// The slices differ in length.
    pub fn decode_slice(self, codes: &[u8], values: &mut [f32]) -> Result<()> {
        same_length(codes.len(), values.len())?;
        Kernel::chosen_or_best().decode(self, codes, values);
        Ok(())
    }

    /// Encodes `values` into `codes`, each to nearest even and saturating.
    ///
    /// # Errors
    /// The slices differ in length, or a value is NaN (the error gives its index).
    pub fn encode_slice(self, values: &[f32], codes: &mut [u8]) -> Result<()> {
        same_length(values.len(), codes.len())?;
        for (index, (code, &value)) in codes.iter_mut().zip(values).enumerate() {
            *code = self.encode(value).ok_or(Error::NanEncoded { index, format: self.name() })?;
        }
        Ok(())
    }
}

fn same_length(from: usize, to: usize) -> Result<()> {
    if from == to { Ok(()) } else { Err(Error::InvalidArgument(format!("output length: expected {from}, found {to}"))) }
}

const fn power_of_two(exponent: i32) -> f32 {
    f32::from_bits(((127 + exponent) as u32) << 23)
}
