//! AVX2: vectors of 32 bytes.

use std::arch::x86_64::*;

use super::generic::{self, FACTORS, LANE_NUMBERS, LEADING, Vector};
use super::scalar;

compile_portable!("avx2");

#[target_feature(enable = "avx2")]
pub(super) fn sum_e3m4(data: &[u8], columns: usize, rows: &[u32], sums: &mut [i32]) {
    if columns < Bytes::BYTES {
        return scalar::sum_e3m4(data, columns, rows, sums);
    }
    // SAFETY: this function runs only where there is AVX2.
    unsafe { generic::sum_e3m4::<Bytes>(data, columns, rows, sums) }
}

#[derive(Clone, Copy)]
struct Bytes(__m256i);

impl Vector for Bytes {
    const BYTES: usize = 32;
    /// Sums of columns 0-7 and 16-23, and of columns 8-15 and 24-31, as unpacking leaves them.
    type Sums = [__m256i; 2];

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn load(at: *const u8) -> Self {
        // SAFETY: the caller says that 32 bytes are readable; the load needs no alignment.
        Self(unsafe { _mm256_loadu_si256(at.cast()) })
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn zero() -> Self {
        Self(_mm256_setzero_si256())
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn keep_from(self, first: usize) -> Self {
        // SAFETY: there are more than 32 lane numbers; the load needs no alignment.
        let lanes = unsafe { _mm256_loadu_si256(LANE_NUMBERS.as_ptr().cast()) };
        Self(_mm256_and_si256(self.0, _mm256_cmpgt_epi8(lanes, _mm256_set1_epi8(first as i8 - 1))))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn zero_sums() -> Self::Sums {
        [_mm256_setzero_si256(); 2]
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn add_pair(sums: Self::Sums, a: Self, b: Self) -> Self::Sums {
        let ((a, a_factors), (b, b_factors)) = (split(a.0), split(b.0));
        // Codes of one column side by side: multiplying and adding neighbours gives one 16-bit sum a column.
        let low = _mm256_maddubs_epi16(_mm256_unpacklo_epi8(a, b), _mm256_unpacklo_epi8(a_factors, b_factors));
        let high = _mm256_maddubs_epi16(_mm256_unpackhi_epi8(a, b), _mm256_unpackhi_epi8(a_factors, b_factors));
        [_mm256_add_epi16(sums[0], low), _mm256_add_epi16(sums[1], high)]
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn flush([low, high]: Self::Sums, at: *mut i32) {
        let first = _mm256_permute2x128_si256::<0x20>(low, high);
        let second = _mm256_permute2x128_si256::<0x31>(low, high);
        let wide = [
            _mm256_cvtepi16_epi32(_mm256_castsi256_si128(first)),
            _mm256_cvtepi16_epi32(_mm256_extracti128_si256::<1>(first)),
            _mm256_cvtepi16_epi32(_mm256_castsi256_si128(second)),
            _mm256_cvtepi16_epi32(_mm256_extracti128_si256::<1>(second)),
        ];
        for (index, sums) in wide.into_iter().enumerate() {
            // SAFETY: the caller says that 32 totals are writable, which is four vectors of eight; no alignment needed.
            unsafe {
                let at = at.add(8 * index).cast();
                _mm256_storeu_si256(at, _mm256_add_epi32(_mm256_loadu_si256(at), sums));
            }
        }
    }
}

/// Significands and factors of 32 codes.
#[inline]
#[target_feature(enable = "avx2")]
fn split(codes: __m256i) -> (__m256i, __m256i) {
    let nibble = _mm256_set1_epi8(0x0F);
    let high = _mm256_and_si256(_mm256_srli_epi16::<4>(codes), nibble);
    // SAFETY: the tables are 16 bytes long, and loads need no alignment.
    let (leading, factors) =
        unsafe { (_mm_loadu_si128(LEADING.as_ptr().cast()), _mm_loadu_si128(FACTORS.as_ptr().cast())) };
    let leading = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(leading), high);
    let factors = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(factors), high);
    (_mm256_or_si256(_mm256_and_si256(codes, nibble), leading), factors)
}
