//! N-grams against a slow oracle that works on strings, and what is promised about odd texts.

#[path = "ngrams/ideographs.rs"]
mod ideographs;
#[path = "ngrams/logits.rs"]
mod logits;

use caseless::default_case_fold_str;
use proptest::prelude::*;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};
use unicode_segmentation::UnicodeSegmentation;
use wldetect::ngrams::{LONGEST, MOST_ROWS, Ngrams, Spec, Splitting};

const SPEC: Spec = Spec {
    n_min: 2,
    n_max: 5,
    whole_words: true,
    max_words: 16,
    max_letters: 256,
    rows: 1 << 18,
    splitting: Splitting::Letters,
};

fn rows(spec: Spec, text: &str) -> Vec<u32> {
    Ngrams::new(spec).unwrap().rows(text)
}

/// The words of a text, unfolded, and the pieces of each.
fn words(splitting: Splitting, text: &str) -> Vec<Vec<String>> {
    match splitting {
        Splitting::Spaces => text.split_whitespace().map(|word| vec![word.to_owned()]).collect(),
        Splitting::Boundaries => text.unicode_words().map(|word| vec![word.to_owned()]).collect(),
        Splitting::Ideographs => {
            words(Splitting::Letters, text).iter().map(|word| ideographs::parted(&word[0])).collect()
        }
        Splitting::Letters => {
            let is_letter = |c: char| {
                matches!(c.general_category_group(), GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark)
            };
            let chars: Vec<char> = text.chars().collect();
            // A joiner between two letters is one of the word.
            let inside = |at: usize| {
                is_letter(chars[at])
                    || (matches!(chars[at], '\'' | '’' | '\u{200C}' | '\u{200D}')
                        && at > 0
                        && is_letter(chars[at - 1])
                        && chars.get(at + 1).is_some_and(|&c| is_letter(c)))
            };
            let kept: String = (0..chars.len()).map(|at| if inside(at) { chars[at] } else { ' ' }).collect();
            kept.split(' ').filter(|word| !word.is_empty()).map(|word| vec![word.replace('’', "'")]).collect()
        }
    }
}

fn hash(start: u32, units: &[u32], n_rows: u32) -> u32 {
    let mut h = start;
    for &unit in units {
        h ^= unit;
        h = h.wrapping_mul(2_654_435_761);
    }
    h ^= h >> 16;
    h = h.wrapping_mul(0x85EB_CA6B);
    h ^= h >> 13;
    h = h.wrapping_mul(0xC2B2_AE35);
    h ^= h >> 16;
    ((u128::from(h) * u128::from(n_rows)) >> 32) as u32
}

/// The order within a word is not part of the definition.
fn sorted(mut rows: Vec<u32>) -> Vec<u32> {
    rows.sort_unstable();
    rows
}

/// Everything from its definition: fold a word, put marks around it, take all its pieces.
fn oracle(spec: Spec, text: &str) -> Vec<u32> {
    let mut found = Vec::new();
    let mut left = spec.max_letters;
    let all = words(spec.splitting, text);
    for word in all.iter().take(if spec.max_words == 0 { usize::MAX } else { spec.max_words }).flatten() {
        if left == 0 {
            break;
        }
        let folded = default_case_fold_str(&word.replace('’', "'"));
        let mut units: Vec<u32> = folded.chars().map(u32::from).collect();
        let whole = units.len() <= left;
        units.truncate(left);
        left -= units.len();
        if spec.splitting == Splitting::Ideographs && word.chars().all(ideographs::is_ideograph) {
            let pairs = units.windows(2);
            found.extend(units.chunks(1).chain(pairs).map(|gram| hash(0x811C_9DC5, gram, spec.rows)));
            continue;
        }
        if whole && spec.whole_words {
            found.push(hash(0xC59D_1C81, &units, spec.rows));
        }
        units.insert(0, 0x11_0000);
        if whole {
            units.push(0x11_0000);
        }
        for start in 0..units.len() {
            for n in spec.n_min..=spec.n_max.min(units.len() - start) {
                let gram = &units[start..start + n];
                if gram != [0x11_0000] {
                    found.push(hash(0x811C_9DC5, gram, spec.rows));
                }
            }
        }
    }
    found
}

fn any_text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        'a', 'B', 'ß', 'ẞ', 'İ', 'ı', 'I', 'Σ', 'ς', 'σ', 'ŉ', 'ﬁ', 'ΐ', 'é', '\u{301}', '\u{94D}', 'क', 'ह', 'न',
        '中', '国', '々', 'か', '한', 'ท', '่', '1', '٣', '\'', '’', '\u{200D}', '\u{200C}', ' ', '\n', '\u{A0}', '.',
        '-', '😀', 'Ꭰ', 'ꭰ', '\u{0}',
    ]);
    prop::collection::vec(prop_oneof![4 => odd, 1 => any::<char>()], 0..60)
        .prop_map(|chars| chars.into_iter().collect())
}

fn any_spec() -> impl Strategy<Value = Spec> {
    let lengths = (1_usize..=6).prop_flat_map(|n_max| (1..=n_max, Just(n_max)));
    let rows = prop_oneof![Just(1), Just(7), Just(1 << 18), Just(MOST_ROWS)];
    let bounds = (0_usize..5, 1_usize..40);
    (lengths, any::<bool>(), bounds, rows, prop::sample::select(Splitting::ALL.to_vec())).prop_map(
        |((n_min, n_max), whole_words, (max_words, max_letters), rows, splitting)| Spec {
            n_min,
            n_max,
            whole_words,
            max_words,
            max_letters,
            rows,
            splitting,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn rows_are_those_of_the_oracle(spec in any_spec(), text in any_text()) {
        let found = rows(spec, &text);
        prop_assert_eq!(sorted(found.clone()), sorted(oracle(spec, &text)));
        prop_assert!(found.iter().all(|&row| row < spec.rows));
    }
}

#[test]
fn every_character_is_folded_and_sorted_as_unicode_says() {
    for splitting in Splitting::ALL {
        let spec = Spec { n_min: 1, n_max: 2, splitting, ..SPEC };
        let ngrams = Ngrams::new(spec).unwrap();
        for c in (0..=0x10_FFFF).filter_map(char::from_u32) {
            let text = format!("x{c}y");
            assert_eq!(sorted(ngrams.rows(&text)), sorted(oracle(spec, &text)), "{c:?} {splitting:?}");
        }
    }
}

#[test]
fn case_makes_no_difference() {
    for (one, other) in [
        ("Straße", "STRASSE"),
        ("ΟΔΥΣΣΕΥΣ", "Οδυσσευς"),
        ("οδυσσευσ", "Οδυσσευς"),
        ("ﬁn", "FIN"),
        ("ꭰꮃ", "ᎠᎳ"),
        ("don't", "DON’T"),
        ("İstanbul", "i\u{307}stanbul"),
    ] {
        assert_eq!(rows(SPEC, one), rows(SPEC, other), "{one} {other}");
        assert!(!rows(SPEC, one).is_empty());
    }
    // A dotless i is a letter of its own.
    assert_ne!(rows(SPEC, "ılık"), rows(SPEC, "ilik"));
}

#[test]
fn marks_and_joiners_stay_with_their_word() {
    let whole = Spec { n_min: LONGEST, n_max: LONGEST, ..SPEC };
    for (text, n_words) in [
        ("हिन्दी में", 2),
        ("می\u{200C}خواهم", 1),
        ("l'eau qu’il", 2),
        ("'quoted' text", 2),
        ("a''b", 2),
        ("e\u{301}te\u{301}", 1),
        ("x1y 23", 2),
        ("中文字", 1),
        ("12 + 3!", 0),
        ("", 0),
        ("\u{200D}", 0),
    ] {
        assert_eq!(rows(whole, text).len(), n_words, "{text:?}");
    }
}

#[test]
fn a_megabyte_of_one_word_costs_what_its_beginning_does() {
    let long = "aß".repeat(1 << 20);
    for splitting in Splitting::ALL {
        let spec = Spec { splitting, ..SPEC };
        assert_eq!(rows(spec, &long), rows(spec, &long[..3 * 300]));
        // 256 letters and one mark, n-grams of 2 to 5, no whole word: it is cut.
        assert_eq!(rows(spec, &long).len(), 256 + 255 + 254 + 253);
    }
}

#[test]
fn words_past_the_limit_are_not_looked_at() {
    let text = "eins zwei drei vier";
    for (max_words, same_as) in [(1, "eins"), (2, "eins zwei"), (4, text), (9, text), (0, text)] {
        for splitting in Splitting::ALL {
            let limited = Spec { max_words, splitting, ..SPEC };
            assert_eq!(rows(limited, text), rows(Spec { max_words: 0, splitting, ..SPEC }, same_as));
        }
    }
}

#[test]
fn n_grams_of_a_word_and_the_word_itself_differ() {
    // With marks, the word is one of its own n-grams; its row as a word is another.
    let grams = rows(Spec { whole_words: false, ..SPEC }, "ab");
    let both = rows(SPEC, "ab");
    assert_eq!(both[1..], grams);
    assert!(!grams.contains(&both[0]));
    // |ab|: |a |ab |ab| ab ab| b|
    assert_eq!(grams.len(), 6);
}

#[test]
fn rows_are_used_evenly() {
    let splitting = Splitting::Spaces;
    let spec = Spec { rows: 64, max_words: 0, max_letters: usize::MAX, splitting, ..SPEC };
    let text: String = (0..20_000).map(|n: u32| format!("w{}x{} ", n * 7919 % 10_007, n)).collect();
    let found = rows(spec, &text);
    let mut counts = [0_usize; 64];
    let mut seen = std::collections::HashSet::new();
    // Each different hash once: frequent n-grams make any row heavy.
    let wide = rows(Spec { rows: MOST_ROWS, ..spec }, &text);
    for (&row, &wide) in found.iter().zip(&wide) {
        if seen.insert(wide) {
            counts[row as usize] += 1;
        }
    }
    let mean = seen.len() as f64 / 64.0;
    assert!(mean > 100.0);
    assert!(counts.iter().all(|&count| (count as f64 - mean).abs() < 6.0 * mean.sqrt()), "{counts:?}");
}

#[test]
fn numbers_out_of_range_are_named() {
    for (spec, expected) in [
        (Spec { n_min: 0, ..SPEC }, "n_min: expected 1 to n_max (5), found 0"),
        (Spec { n_min: 6, ..SPEC }, "n_min: expected 1 to n_max (5), found 6"),
        (Spec { n_max: 0, ..SPEC }, "n_max: expected 1 to 16, found 0"),
        (Spec { n_max: 17, ..SPEC }, "n_max: expected 1 to 16, found 17"),
        (Spec { rows: 0, ..SPEC }, "rows: expected 1 to 2147483648, found 0"),
        (Spec { rows: MOST_ROWS + 1, ..SPEC }, "rows: expected 1 to 2147483648, found 2147483649"),
        (Spec { max_letters: 0, ..SPEC }, "max_letters: expected 1 or more, found 0"),
    ] {
        assert_eq!(Ngrams::new(spec).unwrap_err().to_string(), expected);
    }
    let unknown = Splitting::from_name("words").unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "splitting: expected one of spaces, letters, boundaries, ideographs, found \"words\""
    );
    assert!(Splitting::ALL.iter().all(|&one| Splitting::from_name(one.name()).unwrap() == one));
}
