//! Batches: the answers of single texts, in order, on every number of threads; work that is shared out; and stopping.

#[allow(dead_code)] // Other tests spoil more of a model.
#[path = "artifact/model.rs"]
mod model;

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};
use std::time::Duration;

use model::{TOKENIZER, TableFile, sha256, write};
use proptest::prelude::*;
use tempfile::TempDir;
use wldetect::batch::NO_LANGUAGE;
use wldetect::tokenizer::TOKENIZER_FILE;
use wldetect::{Answer, DType, Detector, Error, Features, Format, Tokenizer};

const E3M4: DType = DType::Fp8(Format::E3M4);
/// More work than any number of threads tested here has in its first pieces.
const MANY: usize = 40_000;

fn detector(tokenizer: &str) -> Detector {
    let directory = TempDir::new().expect("a temporary directory");
    TableFile::valid(E3M4).key("tokenizer_sha256", &sha256(tokenizer)).write(directory.path());
    write(directory.path(), TOKENIZER_FILE, tokenizer.as_bytes());
    Detector::load(directory.path(), E3M4, Features::All).expect("a valid model")
}

/// One that knows `uno` and a few more, and fails at any other word.
fn strict_tokenizer() -> String {
    TOKENIZER.replace("\"[UNK]\": 0, ", "")
}

/// A text that calls `seen` when it is read.
struct Watched<'a> {
    text: &'a str,
    seen: &'a (dyn Fn() + Sync),
}

impl AsRef<str> for Watched<'_> {
    fn as_ref(&self) -> &str {
        (self.seen)();
        self.text
    }
}

/// For [`MANY`] texts: reading them to share the work out is fast, reading them to detect is not.
fn slow_after_the_first_reading(read: &AtomicUsize) {
    if read.fetch_add(1, Ordering::Relaxed) >= MANY {
        thread::sleep(Duration::from_micros(50));
    }
}

/// The threads that read `texts` in a batch on `threads` threads.
fn threads_of(texts: &[&str], threads: Option<usize>) -> HashSet<ThreadId> {
    let found = Mutex::new(HashSet::new());
    let seen = || {
        found.lock().expect("no panic").insert(thread::current().id());
        // Gives the other threads time to come.
        thread::sleep(Duration::from_micros(100));
    };
    let texts: Vec<Watched> = texts.iter().map(|&text| Watched { text, seen: &seen }).collect();
    detector(TOKENIZER).detect_batch(&texts, threads).expect("known words");
    found.into_inner().expect("no panic")
}

#[test]
fn small_batches_stay_on_the_calling_thread() {
    let alone = HashSet::from([thread::current().id()]);
    for texts in [&["uno"][..], &["uno one eins"; 100]] {
        assert_eq!(threads_of(texts, Some(8)), alone);
        assert_eq!(threads_of(texts, None), alone);
    }
    // One text is one piece, however long.
    assert_eq!(threads_of(&[&"uno ".repeat(1 << 18)], Some(8)), alone);
}

#[test]
fn large_batches_use_the_threads_they_were_given() {
    let long = "uno ".repeat(1 << 13);
    assert_eq!(threads_of(&[long.as_str(); 100], Some(1)).len(), 1);
    assert_eq!(threads_of(&[long.as_str(); 100], Some(3)).len(), 3);
    // Never more threads than pieces: these are two.
    assert!(threads_of(&[long.as_str(); 2], Some(1000)).len() <= 2);
    let cores = thread::available_parallelism().expect("some").get();
    assert_eq!(threads_of(&[long.as_str(); 1000], None).len(), cores);
}

#[test]
fn no_threads_are_an_invalid_argument() -> wldetect::Result<()> {
    let detector = detector(TOKENIZER);
    for texts in [&[][..], &["uno"]] {
        let errors = [
            detector.detect_batch(texts, Some(0)).unwrap_err(),
            detector.tokenizer().encode_batch(texts, 1, Some(0), &mut || false).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
            assert_eq!(error.to_string(), "threads: expected at least 1, found 0");
        }
    }
    Ok(())
}

#[test]
fn slices_must_fit() {
    let detector = detector(TOKENIZER);
    let sizes = [
        (1, 2, "labels: expected 2 places, one a text, found 1"),
        (2, 3, "probabilities: expected 2 places, one a text, found 3"),
    ];
    for (labels, probabilities, expected) in sizes {
        let (mut labels, mut probabilities) = (vec![0; labels], vec![0.0; probabilities]);
        let error = detector
            .detect_batch_into(&["uno", "one"], None, &mut labels, &mut probabilities, &mut || false)
            .unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn an_interrupted_batch_stops_and_the_next_one_is_whole() -> wldetect::Result<()> {
    let detector = detector(TOKENIZER);
    for threads in [1, 4] {
        let read = AtomicUsize::new(0);
        let seen = || slow_after_the_first_reading(&read);
        let texts: Vec<Watched> = (0..MANY).map(|_| Watched { text: "uno one", seen: &seen }).collect();
        let (mut labels, mut probabilities) = (vec![7; MANY], vec![0.0; MANY]);
        let mut asked = 0;
        let mut interrupted = || {
            asked += 1;
            asked == 2
        };
        let result =
            detector.detect_batch_into(&texts, Some(threads), &mut labels, &mut probabilities, &mut interrupted);
        assert!(matches!(result, Err(Error::Interrupted)), "{result:?}");
        assert_eq!(asked, 2, "nobody asks again");
        let read = read.into_inner() - MANY;
        assert!(0 < read && read < MANY, "{read} of {MANY}");

        let texts = ["uno", "one", ""];
        let (mut labels, mut probabilities) = ([7; 3], [7.0; 3]);
        detector.detect_batch_into(&texts, Some(threads), &mut labels, &mut probabilities, &mut || false)?;
        assert_eq!(labels, [1, 0, NO_LANGUAGE]);
        assert_eq!(probabilities[2], 0.0);
    }
    Ok(())
}

#[test]
fn the_calling_thread_asks_and_seldom() -> wldetect::Result<()> {
    let (detector, here) = (detector(TOKENIZER), thread::current().id());
    let text = "uno one eins ".repeat(20);
    let texts = vec![text.as_str(); 8000];
    let (mut labels, mut probabilities) = (vec![0; texts.len()], vec![0.0; texts.len()]);
    let mut asked = Vec::new();
    let mut interrupted = || {
        assert_eq!(thread::current().id(), here);
        asked.push(std::time::Instant::now());
        false
    };
    detector.detect_batch_into(&texts, Some(2), &mut labels, &mut probabilities, &mut interrupted)?;
    assert!(!asked.is_empty());
    assert!(asked.is_sorted_by(|before, after| *after - *before >= Duration::from_millis(20)));
    Ok(())
}

#[test]
fn tokenizing_is_interrupted_too() {
    let tokenizer = Tokenizer::from_json(TOKENIZER.as_bytes()).expect("a definition");
    for threads in [1, 4] {
        let read = AtomicUsize::new(0);
        let seen = || slow_after_the_first_reading(&read);
        let texts: Vec<Watched> = (0..MANY).map(|_| Watched { text: "uno one", seen: &seen }).collect();
        let result = tokenizer.encode_batch(&texts, 8, Some(threads), &mut || true);
        assert!(matches!(result, Err(Error::Interrupted)), "{result:?}");
        let read = read.into_inner() - MANY;
        assert!(0 < read && read < MANY, "{read} of {MANY}");
    }
}

#[test]
fn a_text_that_fails_fails_the_batch() {
    let detector = detector(&strict_tokenizer());
    let filler = "uno ".repeat(200);
    for bad in [0, 1, 500, 999] {
        let mut texts = vec![filler.as_str(); 1000];
        texts[bad] = "dos";
        for threads in [1, 2, 5] {
            let error = detector.detect_batch(&texts, Some(threads)).unwrap_err();
            assert!(matches!(error, Error::Tokenizer(_)), "{error:?}");
            let error = detector.tokenizer().encode_batch(&texts, 9, Some(threads), &mut || false).unwrap_err();
            assert!(matches!(error, Error::Tokenizer(_)), "{error:?}");
        }
        texts[bad] = "uno";
        assert!(
            detector
                .detect_batch(&texts, Some(2))
                .expect("known words")
                .iter()
                .all(|answer| *answer != Answer::Nothing)
        );
    }
}

#[test]
fn fingerprints_are_those_of_the_table_file() {
    let directory = TempDir::new().expect("a temporary directory");
    let file = TableFile::valid(E3M4);
    file.write(directory.path());
    write(directory.path(), TOKENIZER_FILE, TOKENIZER.as_bytes());
    let detector = Detector::load(directory.path(), E3M4, Features::All).expect("a valid model");
    let expected = sha256(file.bytes());
    assert_eq!([detector.fingerprint(), detector.fingerprint()], [&expected, &expected]);
}

/// Texts of a few known and unknown words each, some of them long enough to be pieces of their own.
fn some_texts() -> impl Strategy<Value = Vec<String>> {
    let word = prop::sample::select(vec!["uno ", "one ", "eins ", "dos ", "\n", "\u{1F600}"]);
    let repeats = prop_oneof![20 => 0..3_usize, 5 => 3..300_usize, 1 => 3_000..6_000_usize];
    let text = (prop::collection::vec(word, 0..4), repeats).prop_map(|(words, n)| words.concat().repeat(n));
    prop::collection::vec(text, 0..50)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// The oracle is one text after the other.
    #[test]
    fn batches_are_single_texts_in_order(texts in some_texts()) {
        let detector = detector(TOKENIZER);
        let tokenizer = detector.tokenizer();
        let expected: Vec<_> = texts.iter().map(|text| detector.detect(text).expect("an unknown word")).collect();
        let ids: Vec<_> = texts.iter().map(|text| tokenizer.encode(text, 600).expect("an unknown word")).collect();
        for threads in [None, Some(1), Some(2), Some(3), Some(16)] {
            prop_assert_eq!(&detector.detect_batch(&texts, threads).expect("an unknown word"), &expected);
            let batch = tokenizer.encode_batch(&texts, 600, threads, &mut || false).expect("an unknown word");
            prop_assert_eq!(batch.offsets.len(), texts.len() + 1);
            prop_assert_eq!(*batch.offsets.last().expect("one at least"), batch.ids.len() as i64);
            for (bounds, ids) in batch.offsets.windows(2).zip(&ids) {
                prop_assert_eq!(&batch.ids[bounds[0] as usize..bounds[1] as usize], &ids[..]);
            }
        }
    }
}
