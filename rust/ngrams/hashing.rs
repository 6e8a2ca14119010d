//! N-grams of a word to row numbers.

/// Stands before and after every word. No text has it: it is no scalar value.
pub(super) const MARK: u32 = 0x11_0000;

/// Starts that are hashed at once: what fills a vector of AVX2, and two of NEON.
pub(crate) const LANES: usize = 8;

/// What the hash of n-grams begins with, and that of words.
const NGRAM: u32 = 0x811C_9DC5;
const WORD: u32 = 0xC59D_1C81;

/// Hashes n-grams of `n_min` to `n_max` characters to one of `rows` rows.
///
/// A hash takes up characters one after another, each by an exclusive or and a multiplication, as FNV-1a does (Fowler,
/// Noll, Vo), in 32 bits, so that vectors hold many. The factor is 2^32 by the golden ratio: its multiples keep far apart,
/// so no two pairs of characters that are near each other get the same number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hashing {
    pub(super) n_min: usize,
    pub(super) n_max: usize,
    pub(super) rows: u32,
}

impl Hashing {
    /// The row of a word of these folded `letters`.
    pub(super) fn word(self, letters: &[u32]) -> u32 {
        self.row(letters.iter().fold(WORD, |state, &letter| step(state, letter)))
    }

    /// The rows of all n-grams of the first `length` of `units`, a word with its marks or ideographs without,
    /// but for marks alone.
    ///
    /// [`LANES`] units more must be there, of any value. Writes the numbers at the beginning of `found`, which must have
    /// room for [`Self::room`], and returns how many there are; what is written behind them means nothing.
    #[inline(always)]
    pub(crate) fn ngrams(self, units: &[u32], length: usize, found: &mut [u32]) -> usize {
        let mut end = 0;
        if self.n_min == 1 {
            for &unit in units[..length].iter().filter(|&&unit| unit != MARK) {
                found[end] = self.row(step(NGRAM, unit));
                end += 1;
            }
        }
        for first in (0..length).step_by(LANES) {
            let mut states = [NGRAM; LANES];
            for n in 1..=self.n_max.min(length - first) {
                let units: &[u32; LANES] = units[first + n - 1..].first_chunk().expect("units beyond the word");
                for lane in 0..LANES {
                    states[lane] = step(states[lane], units[lane]);
                }
                if n < self.n_min || n == 1 {
                    continue;
                }
                let places: &mut [u32; LANES] = found[end..].first_chunk_mut().expect("room for a vector more");
                for lane in 0..LANES {
                    places[lane] = self.row(states[lane]);
                }
                // Starts too near the end have no n-gram of this length.
                end += LANES.min(length + 1 - n - first);
            }
        }
        end
    }

    /// Places that [`Self::ngrams`] needs for `length` units.
    pub(super) fn room(self, length: usize) -> usize {
        (self.n_max + 1 - self.n_min) * length + LANES
    }

    /// The row of a hash: its bits mixed (the finalizer of MurmurHash3), then scaled to the number of rows.
    #[inline(always)]
    fn row(self, state: u32) -> u32 {
        let mut mixed = (state ^ (state >> 16)).wrapping_mul(0x85EB_CA6B);
        mixed = (mixed ^ (mixed >> 13)).wrapping_mul(0xC2B2_AE35);
        mixed ^= mixed >> 16;
        ((u64::from(mixed) * u64::from(self.rows)) >> 32) as u32
    }
}

#[inline(always)]
fn step(state: u32, unit: u32) -> u32 {
    (state ^ unit).wrapping_mul(0x9E37_79B1)
}
