//! Hash tables without searching: every key lies in the one place where it is looked for.
//!
//! Keys are known when the table is made. They fall into small groups, and each group has a displacement, chosen so
//! that all its keys find room ("hash, displace and compress": Belazzougui, Botelho, Dietzfelbinger, ESA 2009). A look
//! costs a second small table and saves the branches of a search, which nobody can foresee.

/// Keys of a group, on average.
const GROUP: usize = 4;
/// Displacements that are tried before the table is made larger.
const DISPLACEMENTS: u32 = 1 << 16;

/// The displacements of the groups; a power of two of them.
pub(super) struct Places<'a> {
    displacements: &'a [u16],
    group_shift: u32,
}

/// A table's places, and of each key the number of its line.
pub(super) struct Plan {
    pub displacements: Vec<u16>,
    pub lines: usize,
    pub line_of: Vec<usize>,
}

impl Plan {
    /// Puts keys with the given hashes, all distinct, into at least `lines` lines with room for `room` keys each.
    pub(super) fn new(hashes: &[u64], lines: usize, room: u8) -> Self {
        let mut lines = lines.max(1);
        loop {
            if let Some(plan) = Self::try_new(hashes, lines, room) {
                return plan;
            }
            lines += lines / 8 + 1;
        }
    }

    fn try_new(hashes: &[u64], lines: usize, room: u8) -> Option<Self> {
        let mut displacements = vec![0; (hashes.len() / GROUP).next_power_of_two().max(2)];
        let group_shift = group_shift(displacements.len());
        let mut keys: Vec<usize> = (0..hashes.len()).collect();
        keys.sort_unstable_by_key(|&key| (hashes[key] >> group_shift, key));
        let mut groups: Vec<&[usize]> =
            keys.chunk_by(|&a, &b| hashes[a] >> group_shift == hashes[b] >> group_shift).collect();
        // The large ones first, while there is room.
        groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
        let mut taken = vec![0_u8; lines];
        let mut line_of = vec![0; hashes.len()];
        for group in groups {
            let fits = (0..DISPLACEMENTS).find(|&displacement| {
                let mut placed = 0;
                for &key in group {
                    line_of[key] = line(hashes[key], displacement as u16, lines);
                    if taken[line_of[key]] == room {
                        break;
                    }
                    taken[line_of[key]] += 1;
                    placed += 1;
                }
                if placed < group.len() {
                    group[..placed].iter().for_each(|&key| taken[line_of[key]] -= 1);
                }
                placed == group.len()
            });
            displacements[(hashes[group[0]] >> group_shift) as usize] = fits? as u16;
        }
        Some(Self { displacements, lines, line_of })
    }
}

impl<'a> Places<'a> {
    pub(super) fn read(displacements: &'a [u16]) -> Option<Self> {
        let usable = displacements.len() >= 2 && displacements.len().is_power_of_two();
        usable.then(|| Self { displacements, group_shift: group_shift(displacements.len()) })
    }

    /// The line, of `lines`, where the key with this hash is if it is there at all.
    #[inline(always)]
    pub(super) fn line(&self, hash: u64, lines: usize) -> usize {
        line(hash, self.displacements[(hash >> self.group_shift) as usize & (self.displacements.len() - 1)], lines)
    }
}

fn group_shift(groups: usize) -> u32 {
    64 - groups.trailing_zeros()
}

#[inline(always)]
fn line(hash: u64, displacement: u16, lines: usize) -> usize {
    let moved = (hash ^ (u64::from(displacement) << 24)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    // The high half of a product spreads a hash over any number of lines.
    ((u128::from(moved) * lines as u128) >> 64) as usize
}
