//! Asking for memory before it is read: rows lie at random in a table that is larger than the caches, and so do the
//! entries of the tokenizer's tables.

/// Bytes of a cache line: what one prefetch brings in.
const LINE: usize = 64;

/// Rows between asking for one and reading it: enough to hide the way to memory, few enough for the nearest cache.
pub(super) const DISTANCE: usize = 16;

/// Asks for the cache line of `at`, which need not be readable.
#[inline(always)]
fn line(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // The intrinsic became safe to call in a later compiler than the oldest supported one.
    #[allow(unused_unsafe)]
    // SAFETY: a prefetch reads nothing that the program can see, and never faults; every x86-64 has it.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a prefetch reads nothing that the program can see, and never faults.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) at, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = at;
}

/// Asks for the cache line where `values[index]` begins. Asking for one that is not there does nothing.
#[inline(always)]
pub(crate) fn entry<T>(values: &[T], index: usize) {
    line(values.as_ptr().wrapping_add(index).cast());
}

/// Asks for row `row` of `data`, rows of `bytes` bytes. Asking for one that is not there does nothing.
#[inline(always)]
pub(crate) fn row(data: &[u8], bytes: usize, row: u32) {
    let start = data.as_ptr().wrapping_add((row as usize).wrapping_mul(bytes));
    for offset in (0..bytes).step_by(LINE) {
        line(start.wrapping_add(offset));
    }
    // A row need not begin where a line does, so it may end in one line more.
    line(start.wrapping_add(bytes.saturating_sub(1)));
}

/// The numbers in `rows`, each after the row [`DISTANCE`] further on was asked for.
#[inline(always)]
pub(super) fn ahead<'a>(data: &'a [u8], bytes: usize, rows: &'a [u32]) -> impl Iterator<Item = u32> + 'a {
    rows.iter().take(DISTANCE).for_each(|&number| row(data, bytes, number));
    rows.iter().enumerate().map(move |(index, &number)| {
        if let Some(&next) = rows.get(index + DISTANCE) {
            row(data, bytes, next);
        }
        number
    })
}
