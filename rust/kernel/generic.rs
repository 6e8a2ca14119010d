//! The sum of E3M4 rows in whole steps of 1/64, written once over the operations of one vector.
//!
//! A finite code is an integer of at most 992 steps: the significand, 0..=31, times a signed power of two, -32..=32.
//! Both fit in a byte, their product and the sum of 32 such products fit in 16 bits. So 32 rows are summed in 16-bit
//! lanes, one block of columns after another while the rows lie in the nearest cache, then widened into the 32-bit
//! sums. The columns left over after the last whole block are read with the vector that ends where the row ends, less
//! the columns that were counted before: nothing outside a row is ever read.

use super::prefetch;

/// Rows summed in 16 bits: 32 x 992 = 31,744 is below 32,768.
const CHUNK: usize = 32;

/// Significand bit of a code by its high nibble (sign and exponent): subnormals have none.
pub(super) const LEADING: [u8; 16] = [0, 16, 16, 16, 16, 16, 16, 16, 0, 16, 16, 16, 16, 16, 16, 16];

/// What the significand is multiplied by, by the high nibble. Exponent 7, infinity and NaN, counts nothing.
pub(super) const FACTORS: [i8; 16] = [1, 1, 2, 4, 8, 16, 32, 0, -1, -1, -2, -4, -8, -16, -32, 0];

/// 0, 1, 2, ..., for the widest vector.
pub(super) const LANE_NUMBERS: [i8; 64] = {
    let mut numbers = [0; 64];
    let mut lane = 0;
    while lane < numbers.len() {
        numbers[lane] = lane as i8;
        lane += 1;
    }
    numbers
};

/// The operations on a vector of codes. All are unsafe for one reason: the CPU must have the instructions of the
/// implementing type. The two that take a pointer say what else they need.
pub(super) trait Vector: Copy {
    /// Bytes, which is codes, in a vector.
    const BYTES: usize;
    /// One 16-bit sum for each code, in whatever order suits the instructions.
    type Sums: Copy;

    /// Reads a vector; `BYTES` bytes from `at` must be readable.
    unsafe fn load(at: *const u8) -> Self;
    /// All codes zero, which is the value zero.
    unsafe fn zero() -> Self;
    /// The codes of `self` from lane `first` on, and zeros before it.
    unsafe fn keep_from(self, first: usize) -> Self;
    /// All sums zero.
    unsafe fn zero_sums() -> Self::Sums;
    /// `sums` plus the values of the codes of `a` and `b`, lane by lane.
    unsafe fn add_pair(sums: Self::Sums, a: Self, b: Self) -> Self::Sums;
    /// Adds the sums, in the order of the columns, to the `BYTES` totals from `at`, which must be writable.
    unsafe fn flush(sums: Self::Sums, at: *mut i32);
}

/// Adds the rows numbered `rows` to `sums`. `columns`, the width of a row and of `sums`, is at least `V::BYTES`.
///
/// # Safety
/// The CPU must have the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn sum_e3m4<V: Vector>(data: &[u8], columns: usize, rows: &[u32], sums: &mut [i32]) {
    assert!(columns >= V::BYTES && columns == sums.len(), "rows of {columns} columns into {} sums", sums.len());
    let whole = columns - columns % V::BYTES;
    let mut starts = [data.as_ptr(); CHUNK];
    let ask = |rows: &[u32]| rows.iter().for_each(|&row| prefetch::row(data, columns, row));
    let share = CHUNK.div_ceil(columns.div_ceil(V::BYTES));
    ask(&rows[..rows.len().min(CHUNK)]);
    for (index, chunk) in rows.chunks(CHUNK).enumerate() {
        let starts = &mut starts[..chunk.len()];
        for (start, &row) in starts.iter_mut().zip(chunk) {
            // The slice proves that the whole row lies in the table.
            *start = data[row as usize * columns..][..columns].as_ptr();
        }
        // The rows of the next chunk are asked for in shares, one before each block, so that the asking does not pile up.
        let mut next = rows[index * CHUNK + chunk.len()..].chunks(share);
        for offset in (0..whole).step_by(V::BYTES) {
            next.next().into_iter().for_each(ask);
            // SAFETY: `offset + V::BYTES <= columns`, the length of every row in `starts` and of `sums`; the CPU has
            // the instructions of `V`.
            unsafe { sum_block::<V, false>(starts, offset, 0, sums.as_mut_ptr().add(offset)) };
        }
        if whole < columns {
            next.next().into_iter().for_each(ask);
            let offset = columns - V::BYTES;
            // SAFETY: as above; the block ends where the rows and `sums` end, and begins in them, since they are at
            // least as long as a block.
            unsafe { sum_block::<V, true>(starts, offset, whole - offset, sums.as_mut_ptr().add(offset)) };
        }
    }
}

/// Adds to the totals at `at` the `V::BYTES` codes at `offset` of each of at most [`CHUNK`] rows; those before lane
/// `first` are left out if `TAIL`.
///
/// # Safety
/// `V::BYTES` bytes from `offset` of each row must be readable and `V::BYTES` totals at `at` writable; the CPU must
/// have the instructions of `V`.
#[inline(always)]
unsafe fn sum_block<V: Vector, const TAIL: bool>(starts: &[*const u8], offset: usize, first: usize, at: *mut i32) {
    debug_assert!(starts.len() <= CHUNK);
    // SAFETY: what the caller promises is what the operations need.
    unsafe {
        let load = |start: *const u8| {
            let codes = V::load(start.add(offset));
            if TAIL { codes.keep_from(first) } else { codes }
        };
        let mut sums = V::zero_sums();
        let (pairs, rest) = starts.as_chunks::<2>();
        for &[a, b] in pairs {
            sums = V::add_pair(sums, load(a), load(b));
        }
        if let [last] = *rest {
            sums = V::add_pair(sums, load(last), V::zero());
        }
        V::flush(sums, at);
    }
}
