//! A real tokenizer on real and hostile text; run by hand, in release:
//! `WLDETECT_TOKENIZER=tokenizer.json WLDETECT_TEXTS=lines.txt cargo test --release --test tokenizer -- --ignored --nocapture`

use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;
use wldetect::Tokenizer;

use super::{ALL, library_ids};

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }
}

fn path(variable: &str) -> PathBuf {
    std::env::var_os(variable).unwrap_or_else(|| panic!("set {variable}")).into()
}

/// Whitespace runs, U+2581, look-alikes of added tokens, digits of many scripts, control characters, emoji with
/// joiners, lone combining marks, any scalar value.
fn hostile(random: &mut Random) -> String {
    let parts = [
        " ",
        "  ",
        "\u{2581}",
        "\n",
        "\n\n",
        "\t",
        "\r",
        "\r\n",
        "\0",
        "\u{A0}",
        "\u{3000}",
        "> </",
        ">▁</",
        "<bos>",
        "<unused",
        "<unused12>",
        "<eos",
        "[multimodal]",
        "[multi",
        "<0x41>",
        "</",
        "<h1>",
        "<mask>",
        "👩\u{200D}🚀",
        "❤\u{FE0F}",
        "\u{301}",
        "\u{20E3}",
        "YYYY",
        " YYYY",
        "::::::::",
        " diffformul",
        "aaaa",
        "ABC",
        "中文",
        "ไทย",
        "한국",
        "日本語",
        "مرحبا",
        "नमस्ते",
        "0123",
        "٤٥",
        "९७",
        "๑๒",
        "３",
        "—",
        "...",
        "!?",
        "\u{FEFF}",
        "𝒳",
    ];
    let mut text = String::new();
    for _ in 0..1 + random.below(24) {
        match random.below(8) {
            0 => text.extend(char::from_u32(random.below(0x11_0000) as u32)),
            1 => text.push(char::from(random.below(128) as u8)),
            2 => text.push_str(&parts[random.below(13)].repeat(1 + random.below(40))),
            _ => text.push_str(parts[random.below(parts.len())]),
        }
    }
    text
}

fn mismatches(name: &str, ours: &Tokenizer, library: &tokenizers::Tokenizer, texts: &[String]) -> usize {
    let differs = |text: &&String| ours.encode(text, ALL).expect("ids") != library_ids(library, text);
    let wrong: Vec<&String> = texts.par_iter().filter(differs).collect();
    println!("{name}: {} strings, {} mismatches {:?}", texts.len(), wrong.len(), &wrong[..wrong.len().min(5)]);
    wrong.len()
}

fn speed(name: &str, texts: &[String], encode: impl Fn(&str) -> usize) {
    let bytes: usize = texts.iter().map(String::len).sum();
    let begun = Instant::now();
    let tokens: usize = texts.iter().map(|text| encode(text)).sum();
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{name}: {:.1} MB/s ({} texts, {bytes} bytes, {tokens} tokens)",
        bytes as f64 / seconds / 1e6,
        texts.len()
    );
}

fn load<T>(name: &str, path: &Path, read: impl Fn(&Path) -> T) -> T {
    let begun = Instant::now();
    let loaded = read(path);
    println!("{name}: loaded in {:?}", begun.elapsed());
    loaded
}

#[test]
#[ignore = "needs WLDETECT_TOKENIZER and WLDETECT_TEXTS"]
fn real_ids_equal_the_library() {
    let definition = path("WLDETECT_TOKENIZER");
    let library =
        load("library", &definition, |path| tokenizers::Tokenizer::from_file(path).expect("a tokenizer definition"));
    let ours = load("native", &definition, |path| Tokenizer::from_file(path).expect("a tokenizer definition"));
    assert_eq!(ours.fallback_reason(), None);
    assert_eq!(ours.vocab_size(), library.get_vocab_size(true));

    let read = std::fs::read_to_string(path("WLDETECT_TEXTS")).expect("a text file");
    let mut texts: Vec<String> = read.lines().map(str::to_owned).collect();
    let mut random = Random(7);
    for at in (1..texts.len()).rev() {
        texts.swap(at, random.below(at + 1));
    }
    let timed = &texts[..texts.len().min(60_000)];
    speed("native, cold", timed, |text| ours.encode(text, ALL).expect("ids").len());
    speed("library, cold", timed, |text| library_ids(&library, text).len());

    let pieces: Vec<String> = library.get_vocab(true).into_keys().collect();
    let in_context = |piece: &String| {
        let spaced = piece.replace('\u{2581}', " ");
        [piece.repeat(2), format!(" {piece}"), format!("{piece} "), format!("a{spaced} b"), piece.clone(), spaced]
    };
    let around: Vec<String> = pieces.iter().flat_map(in_context).collect();
    let pairs: Vec<String> = (0..1_000_000)
        .map(|_| pieces[random.below(pieces.len())].clone() + &pieces[random.below(pieces.len())])
        .map(|pair| pair.replace('\u{2581}', " "))
        .collect();
    let strings: Vec<String> = (0..1_000_000).map(|_| hostile(&mut random)).collect();
    let wrong = mismatches("texts", &ours, &library, &texts)
        + mismatches("pieces", &ours, &library, &around)
        + mismatches("pairs of pieces", &ours, &library, &pairs)
        + mismatches("hostile", &ours, &library, &strings);
    assert_eq!(wrong, 0);
}
