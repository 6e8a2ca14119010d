//! The compiled form of a tokenizer: flat tables that are mapped and used as they lie.
//!
//! A header of 64-bit words, then sections, each at a multiple of 64 bytes, all in the byte order of the machine that
//! wrote them. The form is a cache of a `tokenizer.json`: whatever is not exactly as expected (magic, version, byte
//! order, length, checksum, the fingerprint of the source) makes it stale, and it is written anew. The checksum finds
//! accidents, not attacks; the tables' readers check what their searches rest on, so that no file can make them run
//! outside or forever.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytemuck::{AnyBitPattern, NoUninit};
use memmap2::{Mmap, MmapMut};

use super::hash::mix;

/// Why something is not usable, in one line.
pub(super) type Refusal = String;

const MAGIC: u64 = u64::from_le_bytes(*b"wldtok\r\n");
/// To be raised with every change of a section, of a hash, or of what the encoder expects of either.
const VERSION: u64 = 2;
/// Reads otherwise on a machine of the other byte order.
const BYTE_ORDER: u64 = 0x0102_0304_0506_0708;
const ALIGNMENT: usize = 64;

/// The tables, in the order of the file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Section {
    AddedTrie,
    AddedStarts,
    AsciiCuts,
    HashedCuts,
    ShortPieces,
    ShortPiecePlaces,
    LongPieces,
    LongPieceText,
    Pairs,
    PairPlaces,
    CharacterPages,
    CharacterBlocks,
    ByteSymbols,
    IdShifts,
    FirstId,
}

const SECTIONS: usize = Section::FirstId as usize + 1;

/// Words of the header before the places of the sections.
mod word {
    pub const MAGIC: usize = 0;
    pub const VERSION: usize = 1;
    pub const BYTE_ORDER: usize = 2;
    pub const LENGTH: usize = 3;
    pub const CHECKSUM: usize = 4;
    pub const SOURCE: usize = 5;
    pub const VOCAB_SIZE: usize = 9;
    pub const SECTIONS: usize = 10;
}
const HEADER: usize = word::SECTIONS + 2 * SECTIONS;

/// Collects sections.
#[derive(Default)]
pub(super) struct Writer {
    sections: [Vec<u8>; SECTIONS],
}

impl Writer {
    pub(super) fn section<T: NoUninit>(&mut self, section: Section, values: &[T]) {
        self.sections[section as usize] = bytemuck::cast_slice(values).to_vec();
    }

    /// The whole file, in memory of its own.
    pub(super) fn finish(self, source: &[u8; 32], vocab_size: usize) -> std::io::Result<Mmap> {
        let mut header = [0_u64; HEADER];
        let mut end = (HEADER * 8).next_multiple_of(ALIGNMENT);
        for (section, bytes) in self.sections.iter().enumerate() {
            header[word::SECTIONS + 2 * section] = end as u64;
            header[word::SECTIONS + 2 * section + 1] = bytes.len() as u64;
            end = (end + bytes.len()).next_multiple_of(ALIGNMENT);
        }
        header[word::MAGIC] = MAGIC;
        header[word::VERSION] = VERSION;
        header[word::BYTE_ORDER] = BYTE_ORDER;
        header[word::LENGTH] = end as u64;
        header[word::SOURCE..word::VOCAB_SIZE].copy_from_slice(&source_words(source));
        header[word::VOCAB_SIZE] = vocab_size as u64;
        let mut map = MmapMut::map_anon(end)?;
        for (section, bytes) in self.sections.iter().enumerate() {
            map[header[word::SECTIONS + 2 * section] as usize..][..bytes.len()].copy_from_slice(bytes);
        }
        map[..HEADER * 8].copy_from_slice(bytemuck::cast_slice(&header));
        let checksum = checksum(&map);
        map[word::CHECKSUM * 8..][..8].copy_from_slice(&checksum.to_ne_bytes());
        map.make_read_only()
    }
}

/// Maps the file at `path`, which must have been made from the `tokenizer.json` with the SHA-256 `source`.
pub(super) fn open(path: &Path, source: &[u8; 32]) -> Result<Mmap, Refusal> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    // SAFETY: the map is read-only and private to this process. The file is written under a temporary name and
    // renamed, never changed in place, so the bytes do not change under the map.
    let map = unsafe { Mmap::map(&file) }.map_err(|error| error.to_string())?;
    let header = header(&map)?;
    let expected = [
        (word::MAGIC, MAGIC, "magic"),
        (word::VERSION, VERSION, "version"),
        (word::BYTE_ORDER, BYTE_ORDER, "byte order"),
        (word::LENGTH, map.len() as u64, "length"),
        (word::CHECKSUM, checksum(&map), "checksum"),
    ];
    for (at, value, name) in expected {
        if header[at] != value {
            return Err(format!("{name}: expected {value:#x}, found {:#x}", header[at]));
        }
    }
    if header[word::SOURCE..word::VOCAB_SIZE] != source_words(source) {
        return Err("made from another tokenizer.json".to_owned());
    }
    Ok(map)
}

/// Writes `bytes` to `path`, under a temporary name until they are all there.
pub(super) fn save(bytes: &[u8], path: &Path) -> std::io::Result<()> {
    // Several processes, and several threads of each, may load a model for the first time at once.
    static SAVED: AtomicUsize = AtomicUsize::new(0);
    let (process, count) = (std::process::id(), SAVED.fetch_add(1, Ordering::Relaxed));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{process}.{count}"));
    let written = File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        // What failed is said by the error; this is only tidying up.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// The sections of a file in memory.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    header: &'a [u64],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, Refusal> {
        Ok(Self { bytes, header: header(bytes)? })
    }

    pub(super) fn vocab_size(&self) -> usize {
        self.header[word::VOCAB_SIZE] as usize
    }

    pub(super) fn checksum(&self) -> u64 {
        self.header[word::CHECKSUM]
    }

    pub(super) fn section<T: AnyBitPattern>(&self, section: Section) -> Result<&'a [T], Refusal> {
        let place = word::SECTIONS + 2 * section as usize;
        let (start, length) = (self.header[place] as usize, self.header[place + 1] as usize);
        let bytes = start.checked_add(length).and_then(|end| self.bytes.get(start..end));
        let bytes = bytes.ok_or_else(|| format!("{section:?}: lies outside"))?;
        bytemuck::try_cast_slice(bytes).map_err(|error| format!("{section:?}: {error}"))
    }
}

fn header(bytes: &[u8]) -> Result<&[u64], Refusal> {
    let header = bytes.get(..HEADER * 8).ok_or_else(|| format!("{} bytes are too few", bytes.len()))?;
    bytemuck::try_cast_slice(header).map_err(|error| error.to_string())
}

/// Over everything but the word that holds it.
fn checksum(bytes: &[u8]) -> u64 {
    let (before, after) = (&bytes[..word::CHECKSUM * 8], &bytes[(word::CHECKSUM + 1) * 8..]);
    // Four sums side by side: one would wait for its own multiplications.
    let mut sums = [1_u64, 2, 3, 4];
    for part in [before, after] {
        for block in part.chunks(64) {
            let mut padded = [0; 64];
            let block: &[u8; 64] = block.try_into().unwrap_or_else(|_| {
                padded[..block.len()].copy_from_slice(block);
                &padded
            });
            let (words, _) = block.as_chunks::<8>();
            for (sum, pair) in sums.iter_mut().zip(words.chunks_exact(2)) {
                *sum = mix(*sum ^ u64::from_ne_bytes(pair[0]), u64::from_ne_bytes(pair[1]));
            }
        }
    }
    sums.into_iter().fold(bytes.len() as u64, mix)
}

fn source_words(source: &[u8; 32]) -> [u64; 4] {
    bytemuck::cast(*source)
}
