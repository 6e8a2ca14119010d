//! Asking for memory ahead of its use.

/// Asks for the cache line where element `index` begins; beyond the end it does nothing. Changes no result.
#[inline(always)]
pub(crate) fn prefetch<T>(values: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    if index < values.len() {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the address is inside the slice; the instruction reads nothing and cannot fault.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(values.as_ptr().add(index).cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (values, index);
}
