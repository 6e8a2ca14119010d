//! Words parted at runs of ideographs: what the oracle knows of them, and examples.

use std::sync::LazyLock;

use proptest::prelude::*;
use regex_syntax::hir::{ClassUnicode, HirKind};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};
use wldetect::ngrams::{Spec, Splitting};

use super::{SPEC, any_spec, hash, oracle, rows, sorted};

/// Unicode's property, and the iteration mark; of what is newer than this property's table, what is where Unicode keeps
/// room for ideographs.
static IDEOGRAPHIC: LazyLock<ClassUnicode> = LazyLock::new(|| {
    let pattern = r"[\p{Ideographic}々[\p{Cn}&&[\x{17000}-\x{18DFF}\x{20000}-\x{3FFFF}]]]";
    match regex_syntax::parse(pattern).expect("a pattern").into_kind() {
        HirKind::Class(regex_syntax::hir::Class::Unicode(class)) => class,
        other => panic!("a class of characters, not {other:?}"),
    }
});

/// Whether `c` is an ideograph and a letter: some are numbers or marks.
pub fn is_ideograph(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Letter
        && IDEOGRAPHIC.ranges().iter().any(|range| (range.start()..=range.end()).contains(&c))
}

/// The pieces of a word of letters: runs of ideographs, and what is between, without joiners that touch an ideograph.
pub fn parted(word: &str) -> Vec<String> {
    let joiner = |c: char| matches!(c, '\'' | '\u{200C}' | '\u{200D}');
    let chars: Vec<char> = word.chars().collect();
    let mut spaced = String::new();
    for (at, &c) in chars.iter().enumerate() {
        let neighbours = [at.checked_sub(1), Some(at + 1)].map(|at| at.and_then(|at| chars.get(at)).copied());
        if joiner(c) && neighbours.iter().flatten().any(|&c| is_ideograph(c)) {
            spaced.push(' ');
            continue;
        }
        if neighbours[0].is_some_and(|before| is_ideograph(before) != is_ideograph(c)) {
            spaced.push(' ');
        }
        spaced.push(c);
    }
    spaced.split(' ').filter(|piece| !piece.is_empty()).map(str::to_owned).collect()
}

const IDEOGRAPHS: Spec = Spec { splitting: Splitting::Ideographs, ..SPEC };
const LETTERS: Spec = Spec { splitting: Splitting::Letters, ..SPEC };

/// The row of an ideograph, or of a pair.
fn ideographs(text: &str) -> u32 {
    hash(0x811C_9DC5, &text.chars().map(u32::from).collect::<Vec<_>>(), SPEC.rows)
}

/// Rows of pieces: those without an ideograph as words of letters, others as one n-gram.
fn rows_of(pieces: &[&str]) -> Vec<u32> {
    let row = |piece: &&str| {
        if piece.chars().all(is_ideograph) { vec![ideographs(piece)] } else { rows(LETTERS, piece) }
    };
    sorted(pieces.iter().flat_map(row).collect())
}

#[test]
fn ideographs_and_pairs_of_them_have_rows_and_the_letters_between_are_words() {
    for (text, pieces) in [
        ("私は東京に行く", &["私", "は", "東", "京", "東京", "に", "行", "く"][..]),
        ("中", &["中"]),
        ("中文字", &["中", "文", "字", "中文", "文字"]),
        ("人々の", &["人", "々", "人々", "の"]),
        ("〆切", &["〆", "切", "〆切"]),
        ("カラオケ店員", &["カラオケ", "店", "員", "店員"]),
        ("Tシャツ白Abc", &["Tシャツ", "白", "abc"]),
        ("한국어", &["한국어"]),
        ("韓國語는", &["韓", "國", "語", "韓國", "國語", "는"]),
        ("ภาษาไทย 中", &["ภาษาไทย", "中"]),
        ("中 文", &["中", "文"]),
        ("中1文", &["中", "文"]),
        // A number, not a letter.
        ("二〇年", &["二", "年"]),
        // Joiners belong to letters that are no ideographs.
        ("中'文", &["中", "文"]),
        ("中'a'文", &["中", "a", "文"]),
        ("l'été'中", &["l'été", "中"]),
        ("'中'", &["中"]),
        // A mark is no ideograph.
        ("葛\u{E0100}城", &["葛", "\u{E0100}", "城"]),
        // Tangut, Khitan, Nushu, and planes 2 and 3.
        (
            "\u{17000}\u{18D80}\u{18B00}",
            &["\u{17000}", "\u{18D80}", "\u{18B00}", "\u{17000}\u{18D80}", "\u{18D80}\u{18B00}"],
        ),
        (
            "\u{1B170}\u{20000}\u{30000}",
            &["\u{1B170}", "\u{20000}", "\u{30000}", "\u{1B170}\u{20000}", "\u{20000}\u{30000}"],
        ),
    ] {
        assert_eq!(sorted(rows(IDEOGRAPHS, text)), rows_of(pieces), "{text}");
    }
}

#[test]
fn ideographs_have_the_same_rows_whatever_lengths_n_grams_have() {
    for spec in
        [Spec { n_min: 4, n_max: 5, ..IDEOGRAPHS }, Spec { n_min: 1, n_max: 1, whole_words: false, ..IDEOGRAPHS }]
    {
        assert_eq!(sorted(rows(spec, "東京")), rows_of(&["東", "京", "東京"]));
    }
}

#[test]
fn a_run_of_letters_is_one_word_however_many_pieces_it_has() {
    let text = "私は東京'に行く' 明日 x";
    for (max_words, same_as) in [(1, "私は東京'に行く"), (2, "私は東京'に行く 明日"), (3, text), (0, text)]
    {
        assert_eq!(rows(Spec { max_words, ..IDEOGRAPHS }, text), rows(Spec { max_words: 0, ..IDEOGRAPHS }, same_as));
    }
    // Two joiners part words.
    assert_eq!(rows(Spec { max_words: 1, ..IDEOGRAPHS }, "中''文"), rows(IDEOGRAPHS, "中"));
}

#[test]
fn the_limit_of_letters_cuts_runs_of_ideographs_too() {
    let cut = |text, max_letters| sorted(rows(Spec { max_letters, ..IDEOGRAPHS }, text));
    assert_eq!(cut("東京都", 1), rows_of(&["東"]));
    assert_eq!(cut("東京都", 2), rows_of(&["東", "京", "東京"]));
    // Joiners that are left out do not count, and a word before an ideograph is whole.
    assert_eq!(cut("ab'東'京", 2), rows_of(&["ab"]));
    assert_eq!(cut("ab'東'京", 3), rows_of(&["ab", "東"]));
    assert_eq!(cut("ab'東'京", 4), rows_of(&["ab", "東", "京"]));
    assert_eq!(
        cut("東abc", 3),
        sorted([vec![ideographs("東")], rows(Spec { max_letters: 2, ..LETTERS }, "abc")].concat())
    );
}

#[test]
fn a_megabyte_of_ideographs_costs_what_its_beginning_does() {
    for (word, n_rows) in [("中", 256 + 255), ("中'", 256), ("中a", 128 + 128 * 4)] {
        let long = word.repeat(1 << 18);
        assert_eq!(rows(IDEOGRAPHS, &long), rows(IDEOGRAPHS, &word.repeat(300)));
        assert_eq!(rows(IDEOGRAPHS, &long).len(), n_rows, "{word}");
    }
}

#[test]
fn every_character_beside_ideographs_is_sorted_as_unicode_says() {
    let spec = Spec { n_min: 1, n_max: 2, ..IDEOGRAPHS };
    for c in (0..=0x10_FFFF).filter_map(char::from_u32) {
        let text = format!("中{c}国");
        assert_eq!(sorted(rows(spec, &text)), sorted(oracle(spec, &text)), "{c:?}");
    }
}

/// Mostly letters, so that runs are long and of many pieces.
fn mixed_text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        '中', '国', '東', '々', '〇', '豈', '𠀀', '𗀀', 'は', 'カ', 'ー', '한', '국', 'a', 'B', 'ß', 'İ', 'ท',
        '\u{301}', '\u{FE00}', '\'', '’', '\u{200D}', '\u{200C}', ' ', '1',
    ]);
    prop::collection::vec(odd, 0..40).prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn rows_of_mixed_texts_are_those_of_the_oracle(spec in any_spec(), text in mixed_text()) {
        let spec = Spec { splitting: Splitting::Ideographs, ..spec };
        prop_assert_eq!(sorted(rows(spec, &text)), sorted(oracle(spec, &text)));
    }

    #[test]
    fn without_ideographs_rows_are_those_of_letters(spec in any_spec(), text in mixed_text()) {
        let text = text.replace(is_ideograph, "x");
        let found = rows(Spec { splitting: Splitting::Ideographs, ..spec }, &text);
        prop_assert_eq!(found, rows(Spec { splitting: Splitting::Letters, ..spec }, &text));
    }
}
