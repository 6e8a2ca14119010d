//! Compiled tokenizers that lie: believed or not, using them must come to an end inside their bytes.

use std::path::Path;
use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use wldetect::Tokenizer;
use wldetect::tokenizer::{COMPILED_FILE, Scratch};

use super::checksum::repair;
use super::tokenizer::sample;

/// Fingerprint of the definition of [`VALID`], and the bytes of its compiled form.
static VALID: LazyLock<(String, Vec<u8>)> = LazyLock::new(|| {
    let tokenizer = Tokenizer::from_json(sample().json().to_string().as_bytes()).expect("a definition");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join(COMPILED_FILE);
    assert!(tokenizer.save_compiled(&path).expect("room"), "it is encoded natively");
    (tokenizer.sha256().to_owned(), std::fs::read(&path).expect("it was written"))
});

/// A valid compiled form, and the SHA-256 that it was made from.
pub fn valid() -> (Vec<u8>, &'static str) {
    (VALID.1.clone(), &VALID.0)
}

/// Where a section of a compiled form begins and its length; the header says so in two words for each.
pub fn section(bytes: &[u8], number: usize) -> (usize, usize) {
    let word = |at: usize| u64::from_ne_bytes(bytes[8 * at..8 * at + 8].try_into().expect("eight bytes")) as usize;
    (word(10 + 2 * number), word(11 + 2 * number))
}

/// Opens a compiled form that has no definition to be made from anew: `None` if it is refused.
pub fn open(bytes: &[u8], directory: &Path) -> Option<Tokenizer> {
    std::fs::write(directory.join(COMPILED_FILE), bytes).expect("room");
    Tokenizer::open(directory, &VALID.0).ok()
}

/// Bytes choose what is changed in a compiled form, and texts.
pub fn compiled(data: &[u8]) {
    // Bytes that end too early have chosen nothing.
    let _ = check(&mut Unstructured::new(data));
}

fn check(bytes: &mut Unstructured<'_>) -> Result<()> {
    let (mut form, _) = valid();
    for _ in 0..bytes.int_in_range(1..=12)? {
        change(&mut form, bytes)?;
    }
    repair(&mut form);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let Some(tokenizer) = open(&form, directory.path()) else { return Ok(()) };
    let long = if bytes.ratio(1, 16)? { "aab".repeat(1500) } else { String::new() };
    let rest = bytes.bytes(bytes.len().min(300))?;
    let known = "ab abc <s><s \n\n\n  aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa[x] ab céé中\u{2581}\u{2581}😀é";
    let mut scratch = Scratch::default();
    for text in [known, &String::from_utf8_lossy(rest), &long] {
        for limit in [usize::MAX, 3] {
            let mut ids = Vec::new();
            tokenizer.encode_into(text, limit, &mut scratch, &mut ids).expect("the native path takes any text");
            // Whatever the tables say, no byte gives more than one id, but for a space, which may give three.
            assert!(ids.len() <= limit.min(3 * text.len()), "{} ids of {text:?}", ids.len());
        }
    }
    Ok(())
}

/// Changes one aligned number, of the header or of a section.
fn change(form: &mut [u8], bytes: &mut Unstructured<'_>) -> Result<()> {
    const SECTIONS: usize = 14;
    let (start, length) = match bytes.int_in_range(0..=SECTIONS)? {
        SECTIONS => (72, 8 + 16 * SECTIONS),
        number => section(&VALID.1, number),
    };
    if length < 4 {
        return Ok(());
    }
    let at = start + 4 * bytes.choose_index(length / 4)?;
    let old = u32::from_ne_bytes(form[at..at + 4].try_into().expect("four bytes"));
    let new = match bytes.int_in_range(0..=6)? {
        0 => 0,
        1 => 1,
        2 => u32::MAX,
        // No symbol.
        3 => (1 << 21) - 1,
        4 => old ^ 1 << bytes.int_in_range(0..=31)?,
        5 => old.wrapping_add_signed(bytes.int_in_range(-64..=64)?),
        _ => bytes.arbitrary()?,
    };
    form[at..at + 4].copy_from_slice(&new.to_ne_bytes());
    Ok(())
}
