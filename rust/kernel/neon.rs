//! NEON: vectors of 16 bytes.

use std::arch::aarch64::*;

use super::generic::{self, FACTORS, LANE_NUMBERS, LEADING, Vector};
use super::scalar;

compile_portable!("neon");

#[target_feature(enable = "neon")]
pub(super) fn sum_e3m4(data: &[u8], columns: usize, rows: &[u32], sums: &mut [i32]) {
    if columns < Bytes::BYTES {
        return scalar::sum_e3m4(data, columns, rows, sums);
    }
    // SAFETY: this function runs only where there is NEON.
    unsafe { generic::sum_e3m4::<Bytes>(data, columns, rows, sums) }
}

#[derive(Clone, Copy)]
struct Bytes(uint8x16_t);

impl Vector for Bytes {
    const BYTES: usize = 16;
    /// Sums of columns 0-7 and 8-15.
    type Sums = [int16x8_t; 2];

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn load(at: *const u8) -> Self {
        // SAFETY: the caller says that 16 bytes are readable.
        Self(unsafe { vld1q_u8(at) })
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn zero() -> Self {
        Self(vdupq_n_u8(0))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn keep_from(self, first: usize) -> Self {
        // SAFETY: there are more than 16 lane numbers.
        let lanes = unsafe { vld1q_s8(LANE_NUMBERS.as_ptr()) };
        Self(vandq_u8(self.0, vcgeq_s8(lanes, vdupq_n_s8(first as i8))))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn zero_sums() -> Self::Sums {
        [vdupq_n_s16(0); 2]
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn add_pair(sums: Self::Sums, a: Self, b: Self) -> Self::Sums {
        add(add(sums, a.0), b.0)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn flush([low, high]: Self::Sums, at: *mut i32) {
        let halves = [vget_low_s16(low), vget_high_s16(low), vget_low_s16(high), vget_high_s16(high)];
        for (index, sums) in halves.into_iter().enumerate() {
            // SAFETY: the caller says that 16 totals are writable, which is four vectors of four.
            unsafe {
                let at = at.add(4 * index);
                vst1q_s32(at, vaddw_s16(vld1q_s32(at), sums));
            }
        }
    }
}

/// `sums` plus the values of 16 codes: significands times factors, widened.
#[inline]
#[target_feature(enable = "neon")]
fn add([low, high]: [int16x8_t; 2], codes: uint8x16_t) -> [int16x8_t; 2] {
    // SAFETY: the tables are 16 bytes long.
    let (leading, factors) = unsafe { (vld1q_u8(LEADING.as_ptr()), vld1q_s8(FACTORS.as_ptr())) };
    let exponents = vshrq_n_u8::<4>(codes);
    let significands = vorrq_u8(vandq_u8(codes, vdupq_n_u8(0x0F)), vqtbl1q_u8(leading, exponents));
    let (significands, factors) = (vreinterpretq_s8_u8(significands), vqtbl1q_s8(factors, exponents));
    [vmlal_s8(low, vget_low_s8(significands), vget_low_s8(factors)), vmlal_high_s8(high, significands, factors)]
}
