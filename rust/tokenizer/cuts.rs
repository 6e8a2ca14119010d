//! Where a text can be cut so that encoding the parts gives the ids of the whole.
//!
//! BPE starts from one symbol a character (characters that are no piece become byte pieces) and joins neighbouring
//! symbols by merges. A symbol always spells the text it covers: pieces and ids correspond one to one, and a product
//! is the piece spelt by its parts. So a merge (a, b) across the place between the characters x and y needs an `a`
//! that ends with x and a `b` that begins with y, and both must take part in merges, which byte pieces do not (checked
//! when the definition is read). If no merge that can happen has such parts, no symbol ever spans the place: left
//! and right of it the same merges happen, in the same order among themselves, as if the other side were not there.
//!
//! The set of (x, y) that some merge does join may safely hold more than it must: a missed cut gives a longer unit
//! with the same ids. So pairs beyond ASCII share one bit by hash.

use super::definition::Merge;
use super::hash::mix;

pub(super) struct Cuts {
    /// Bit `x * 128 + y`.
    ascii: [u64; 256],
    hashed: Vec<u64>,
    shift: u32,
}

impl Cuts {
    /// `merges` holds at least those that can happen.
    pub(super) fn new(merges: &[(u32, &Merge<'_>)]) -> Self {
        let pairs = merges.iter().filter_map(|(_, merge)| {
            Some((canonical(merge.left_text.chars().next_back()?), canonical(merge.right_text.chars().next()?)))
        });
        let mut pairs: Vec<(char, char)> = pairs.collect();
        pairs.sort_unstable();
        pairs.dedup();
        // At 32 bits a pair, one cut in 32 is missed.
        let bits = (pairs.len() * 32).next_power_of_two().max(64);
        let mut cuts = Self { ascii: [0; 256], hashed: vec![0; bits / 64], shift: 64 - bits.trailing_zeros() };
        for (left, right) in pairs {
            if left.is_ascii() && right.is_ascii() {
                let bit = left as usize * 128 + right as usize;
                cuts.ascii[bit / 64] |= 1 << (bit % 64);
            } else {
                let bit = cuts.hash(left, right);
                cuts.hashed[bit / 64] |= 1 << (bit % 64);
            }
        }
        cuts
    }

    /// Whether a merge may join a symbol that ends with `left` and one that begins with `right`, both canonical.
    #[inline]
    pub(super) fn may_join(&self, left: char, right: char) -> bool {
        if left.is_ascii() && right.is_ascii() {
            let bit = left as usize * 128 + right as usize;
            self.ascii[bit / 64] >> (bit % 64) & 1 == 1
        } else {
            let bit = self.hash(left, right);
            self.hashed[bit / 64] >> (bit % 64) & 1 == 1
        }
    }

    #[inline]
    fn hash(&self, left: char, right: char) -> usize {
        (mix(u64::from(left as u32) << 32 | u64::from(right as u32), 0) >> self.shift) as usize
    }
}

/// The normalizer turns a space into U+2581; here a space stands for both, so that text needs no rewriting.
#[inline]
pub(super) fn canonical(character: char) -> char {
    if character == super::definition::SPACE_MARK { ' ' } else { character }
}
