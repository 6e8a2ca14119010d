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

use super::definition::SPACE_MARK;
use super::format::{Reader, Refusal, Section, Writer};

/// Which ASCII characters one may be joined with, one bit each.
type Row = [u64; 2];

pub(super) struct Cuts<'a> {
    /// Of each ASCII character on the left, those on its right.
    ascii: &'a [Row; 128],
    /// A power of two of bits.
    hashed: &'a [u64],
    shift: u32,
}

impl<'a> Cuts<'a> {
    /// Writes the set of the pairs of characters that merges join, in any order.
    pub(super) fn write(joined: impl Iterator<Item = (char, char)>, writer: &mut Writer) {
        let mut pairs: Vec<(u32, u32)> = joined.map(|(x, y)| (canonical(x as u32), canonical(y as u32))).collect();
        pairs.sort_unstable();
        pairs.dedup();
        // At 32 bits a pair, one cut in 32 is missed.
        let bits = (pairs.len() * 32).next_power_of_two().max(64);
        let shift = 64 - bits.trailing_zeros();
        let (mut ascii, mut hashed) = ([[0; 2]; 128], vec![0; bits / 64]);
        for (left, right) in pairs {
            if (left | right) < 128 {
                ascii[left as usize][right as usize / 64] |= 1_u64 << (right % 64);
            } else {
                let bit = hash(left, right, shift);
                hashed[bit / 64] |= 1_u64 << (bit % 64);
            }
        }
        writer.section(Section::AsciiCuts, &ascii);
        writer.section(Section::HashedCuts, &hashed);
    }

    pub(super) fn read(reader: &Reader<'a>) -> Result<Self, Refusal> {
        let ascii = reader.section(Section::AsciiCuts)?;
        let hashed: &[u64] = reader.section(Section::HashedCuts)?;
        let ascii = ascii.try_into().map_err(|_| "cuts: wrong size".to_owned())?;
        if !hashed.len().is_power_of_two() {
            return Err("cuts: size is no power of two".to_owned());
        }
        Ok(Self { ascii, hashed, shift: 64 - (hashed.len() * 64).trailing_zeros() })
    }

    /// Whether a merge may join a symbol that ends with `left` and one that begins with `right`, both canonical.
    #[inline(always)]
    pub(super) fn may_join(&self, left: u32, right: u32) -> bool {
        if (left | right) < 128 {
            self.may_join_ascii(left as u8, right as u8)
        } else {
            let bit = hash(left, right, self.shift);
            self.hashed[bit / 64] >> (bit % 64) & 1 == 1
        }
    }

    /// [`Self::may_join`] for two ASCII characters.
    #[inline(always)]
    pub(super) fn may_join_ascii(&self, left: u8, right: u8) -> bool {
        self.ascii[usize::from(left) % 128][usize::from(right) / 64 % 2] >> (right % 64) & 1 == 1
    }
}

#[inline(always)]
fn hash(left: u32, right: u32, shift: u32) -> usize {
    // Characters have 21 bits; the high bits of the product depend on all of them.
    ((u64::from(left) << 21 | u64::from(right)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> shift) as usize
}

/// The normalizer turns a space into U+2581; here a space stands for both, so that text needs no rewriting.
#[inline(always)]
pub(super) fn canonical(character: u32) -> u32 {
    if character == SPACE_MARK as u32 { ' ' as u32 } else { character }
}
