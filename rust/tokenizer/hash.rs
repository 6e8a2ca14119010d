//! A fast hash for tables filled from a trusted vocabulary: multiply to 128 bits and fold the halves together.

use std::hash::Hasher;

const SEED: u64 = 0x9E37_79B9_7F4A_7C15;
const STEP: u64 = 0xD6E8_FEB8_6659_FD93;

/// Both words, mixed so that every bit of the result depends on all of theirs.
#[inline]
pub(super) fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ SEED) * u128::from(b ^ STEP);
    product as u64 ^ (product >> 64) as u64
}

/// Hash of `bytes`, their number included.
#[inline]
pub(super) fn hash_bytes(bytes: &[u8]) -> u64 {
    let length = bytes.len();
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let half = |at: usize| u64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")));
    // The last words overlap the ones before, which covers every length without a loop over bytes.
    let (a, b) = match length {
        0 => (0, 0),
        1..=3 => (u64::from(bytes[0]) << 16 | u64::from(bytes[length / 2]) << 8 | u64::from(bytes[length - 1]), 0),
        4..=8 => (half(0), half(length - 4)),
        9..=16 => (word(0), word(length - 8)),
        _ => {
            let mut state = 0;
            for at in (0..length - 16).step_by(16) {
                state = mix(state ^ word(at), word(at + 8));
            }
            (state ^ word(length - 16), word(length - 8))
        }
    };
    mix(a ^ (length as u64) << 56, b)
}

/// [`hash_bytes`] for the maps of the standard library.
#[derive(Default)]
pub(super) struct FoldHasher(u64);

impl Hasher for FoldHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = mix(self.0, hash_bytes(bytes));
    }

    // `str` ends its hash with a byte that tells ("ab", "c") from ("a", "bc"); here the length already does.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
