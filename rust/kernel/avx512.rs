//! AVX-512 F and BW for the vectors of 64 bytes, DQ and VL for what the compiler makes of the portable loops.

use std::arch::x86_64::*;

use super::generic::{self, FACTORS, LANE_NUMBERS, LEADING, Vector};

compile_portable!("avx512f,avx512bw,avx512dq,avx512vl");

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn sum_e3m4(data: &[u8], columns: usize, rows: &[u32], sums: &mut [i32]) {
    if columns < Bytes::BYTES {
        return super::avx2::sum_e3m4(data, columns, rows, sums);
    }
    // SAFETY: this function runs only where there are AVX-512 F and BW.
    unsafe { generic::sum_e3m4::<Bytes>(data, columns, rows, sums) }
}

#[derive(Clone, Copy)]
struct Bytes(__m512i);

impl Vector for Bytes {
    const BYTES: usize = 64;
    /// Sums of the first eight columns of every sixteen, and of the other eight, as unpacking leaves them.
    type Sums = [__m512i; 2];

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn load(at: *const u8) -> Self {
        // SAFETY: the caller says that 64 bytes are readable; the load needs no alignment.
        Self(unsafe { _mm512_loadu_si512(at.cast()) })
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn zero() -> Self {
        Self(_mm512_setzero_si512())
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn keep_from(self, first: usize) -> Self {
        // SAFETY: there are 64 lane numbers; the load needs no alignment.
        let lanes = unsafe { _mm512_loadu_si512(LANE_NUMBERS.as_ptr().cast()) };
        Self(_mm512_maskz_mov_epi8(_mm512_cmpge_epi8_mask(lanes, _mm512_set1_epi8(first as i8)), self.0))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn zero_sums() -> Self::Sums {
        [_mm512_setzero_si512(); 2]
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn add_pair(sums: Self::Sums, a: Self, b: Self) -> Self::Sums {
        let ((a, a_factors), (b, b_factors)) = (split(a.0), split(b.0));
        // Codes of one column side by side: multiplying and adding neighbours gives one 16-bit sum a column.
        let low = _mm512_maddubs_epi16(_mm512_unpacklo_epi8(a, b), _mm512_unpacklo_epi8(a_factors, b_factors));
        let high = _mm512_maddubs_epi16(_mm512_unpackhi_epi8(a, b), _mm512_unpackhi_epi8(a_factors, b_factors));
        [_mm512_add_epi16(sums[0], low), _mm512_add_epi16(sums[1], high)]
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn flush([low, high]: Self::Sums, at: *mut i32) {
        // Two 64-bit lanes of the low sums, two of the high ones, in turn.
        let first = _mm512_permutex2var_epi64(low, _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), high);
        let second = _mm512_permutex2var_epi64(low, _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15), high);
        let wide = [
            _mm512_cvtepi16_epi32(_mm512_castsi512_si256(first)),
            _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64::<1>(first)),
            _mm512_cvtepi16_epi32(_mm512_castsi512_si256(second)),
            _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64::<1>(second)),
        ];
        for (index, sums) in wide.into_iter().enumerate() {
            // SAFETY: the caller says that 64 totals are writable: four vectors of sixteen, which need no alignment.
            unsafe {
                let at = at.add(16 * index).cast();
                _mm512_storeu_si512(at, _mm512_add_epi32(_mm512_loadu_si512(at), sums));
            }
        }
    }
}

/// Significands and factors of 64 codes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn split(codes: __m512i) -> (__m512i, __m512i) {
    let nibble = _mm512_set1_epi8(0x0F);
    let high = _mm512_and_si512(_mm512_srli_epi16::<4>(codes), nibble);
    // SAFETY: the tables are 16 bytes long, and loads need no alignment.
    let (leading, factors) =
        unsafe { (_mm_loadu_si128(LEADING.as_ptr().cast()), _mm_loadu_si128(FACTORS.as_ptr().cast())) };
    let leading = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(leading), high);
    let factors = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(factors), high);
    (_mm512_or_si512(_mm512_and_si512(codes, nibble), leading), factors)
}
