//! What recent units became, by their bytes.

use memmap2::MmapMut;

use super::pieces::Key;
use crate::kernel::prefetch;

/// Ids of a unit that is kept; those of more are not.
const IDS: usize = 4;
/// Entries: 2 MB a thread.
const ENTRIES: usize = 1 << 16;

/// No id; fills up entries of fewer than [`IDS`].
const NONE: u32 = u32::MAX;

/// The key in two words, two ids in each of the others. All zeros where there is none: no unit has that key.
type Entry = [u64; 4];

/// A direct-mapped cache of the ids of short units that are no pieces. It changes no id: entries are found by the whole
/// text of the unit.
#[derive(Default)]
pub(super) struct Memo {
    /// Fresh from the system, so that no page of it exists before it is written, and each entry lies in one cache line.
    /// Made for the second text: one that is encoded alone would not be repaid.
    entries: Option<MmapMut>,
    served: bool,
    /// Checksum of the tables whose ids these are.
    tables: u64,
}

impl Memo {
    /// Gets ready for a text, to be encoded with the tables of this checksum; forgets what it knows of others.
    pub(super) fn serve(&mut self, tables: u64) {
        if self.tables != tables {
            *self = Self { tables, ..Self::default() };
        }
        if self.served && self.entries.is_none() {
            // Without memory there is no memo, and the ids are the same.
            self.entries = MmapMut::map_anon(ENTRIES * size_of::<Entry>()).ok();
        }
        self.served = true;
    }

    #[inline(always)]
    fn entries(&self) -> &[Entry] {
        self.entries.as_ref().map_or(&[], |bytes| bytemuck::cast_slice(bytes))
    }

    /// The ids of the unit with this key, [`NONE`] behind the last.
    #[inline(always)]
    pub(super) fn get(&self, key: Key, hash: u64) -> Option<[u32; IDS]> {
        let &[first, second, ref ids @ ..] = self.entries().get(hash as usize % ENTRIES)?;
        ([first, second] == key).then(|| bytemuck::cast(*ids))
    }

    /// Keeps the ids of a unit, if they are few.
    #[inline(always)]
    pub(super) fn put(&mut self, key: Key, hash: u64, ids: &[u32]) {
        if ids.len() > IDS {
            return;
        }
        let Some(bytes) = &mut self.entries else { return };
        let mut kept = [NONE; IDS];
        kept[..ids.len()].copy_from_slice(ids);
        let [third, fourth]: [u64; 2] = bytemuck::cast(kept);
        bytemuck::cast_slice_mut::<u8, Entry>(bytes)[hash as usize % ENTRIES] = [key[0], key[1], third, fourth];
    }

    /// Asks for the entry's cache line ahead of its use.
    #[inline(always)]
    pub(super) fn prefetch(&self, hash: u64) {
        prefetch::entry(self.entries(), hash as usize % ENTRIES);
    }
}

/// Calls `emit` with the ids of an entry.
#[inline(always)]
pub(super) fn emit_ids(ids: [u32; IDS], mut emit: impl FnMut(u32)) {
    for id in ids {
        if id == NONE {
            break;
        }
        emit(id);
    }
}
