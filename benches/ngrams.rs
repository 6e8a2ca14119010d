//! Rows of n-grams, step by step: texts to row numbers, their rows gathered and averaged, the average projected, and all
//! of it; for words and for sentences, cold and warm.
//!
//! Texts are of made-up words, frequent ones more often. Cold: each of them is another, and so many that their rows have
//! left the caches before they come again. Warm: the same few texts over and over. Throughput counts bytes of text, but
//! where rows are gathered those of the rows, and where they are projected those of the projection.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use wldetect::kernel::{Kernel, Level};
use wldetect::ngrams::{LogitScratch, Ngrams, Projection, Scratch, Spec, Splitting, add_logits};
use wldetect::{DType, Format, Table};

#[path = "../tests/rust/oracle/ngrams.rs"]
mod oracle;

const FORMAT: Format = Format::E3M4;
const LANGUAGES: usize = 148;
const SCALE: f32 = 0.5;
/// Words of which texts are made.
const WORDS: usize = 200_000;
/// Words of a text: one, and a sentence.
const LENGTHS: [(&str, usize); 2] = [("words", 1), ("sentences", 20)];
/// Words of all texts that are read cold, and of those that are read warm.
const COLD: usize = 400_000;
const WARM: usize = 320;
/// Texts of each length whose logits are compared with the oracle's.
const CHECKED: usize = 20;

/// What is extracted unless a configuration says otherwise, and what is cheaper.
const SPECS: [(&str, Spec); 2] = [
    ("3 to 5, 16 words, 262144 rows", SPEC),
    ("3 to 4, 8 words, 131072 rows", Spec { n_max: 4, max_words: 8, rows: 1 << 17, ..SPEC }),
];
const SPEC: Spec = Spec {
    n_min: 3,
    n_max: 5,
    whole_words: true,
    max_words: 16,
    max_letters: 256,
    rows: 1 << 18,
    splitting: Splitting::Letters,
};
/// Numbers of a row.
const NUMBERS: usize = 64;

/// Xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// A number in -1..1.
    fn number(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// Words of two to eleven letters; one in four of Greek ones, which are not ASCII.
fn words(random: &mut Random) -> Vec<String> {
    let latin: Vec<char> = ('a'..='z').collect();
    let greek: Vec<char> = ('α'..='ω').collect();
    let word = |random: &mut Random| {
        let letters = if random.below(4) == 0 { &greek } else { &latin };
        // Low letters more often, as some are in any language.
        let letter = |random: &mut Random| letters[(random.below(letters.len()) * random.below(1000)) / 1000];
        (0..2 + random.below(10)).map(|_| letter(random)).collect()
    };
    (0..WORDS).map(|_| word(random)).collect()
}

/// Texts of `length` words, `total` in all; low ranks more often.
fn texts(random: &mut Random, words: &[String], length: usize, total: usize) -> Vec<String> {
    let word = |random: &mut Random| {
        let most = random.below(words.len()) + 1;
        words[random.below(most)].as_str()
    };
    (0..total / length).map(|_| (0..length).map(|_| word(random)).collect::<Vec<_>>().join(" ")).collect()
}

/// A table and a projection as a model has them.
struct Model {
    ngrams: Ngrams,
    codes: Vec<u8>,
    matrix: Vec<Vec<f32>>,
}

impl Model {
    fn new(random: &mut Random, spec: Spec) -> Self {
        let finite: Vec<u8> = (0..=255).filter(|&code| FORMAT.is_finite(code)).collect();
        let codes = (0..spec.rows as usize * NUMBERS).map(|_| finite[random.below(finite.len())]).collect();
        let matrix = (0..NUMBERS).map(|_| (0..LANGUAGES).map(|_| random.number()).collect()).collect();
        Self { ngrams: Ngrams::new(spec).expect("a valid extraction"), codes, matrix }
    }

    fn table(&self) -> Table<'_> {
        let rows = self.ngrams.spec().rows as usize;
        Table::new(DType::Fp8(FORMAT), rows, NUMBERS, SCALE, &self.codes, None).expect("a valid table")
    }

    fn projection(&self) -> Projection {
        Projection::new(NUMBERS, LANGUAGES, &self.matrix.concat()).expect("a valid projection")
    }

    /// Fails unless the logits of `texts` are, to the bit, those of their definition.
    fn check(&self, kernel: Kernel, texts: &[String]) {
        let (table, projection) = (self.table(), self.projection());
        let stored = |row: u32| {
            let codes = &self.codes[row as usize * NUMBERS..][..NUMBERS];
            codes.iter().map(|&code| f64::from(FORMAT.decode(code)) / f64::from(FORMAT.step())).collect()
        };
        for text in texts {
            let rows = self.ngrams.rows(text);
            let mut logits = vec![0.0; LANGUAGES];
            let mut scratch = LogitScratch::default();
            add_logits(kernel, &table, Some(&projection), &rows, &mut scratch, &mut logits).expect("they fit");
            assert_eq!(logits, oracle::logits(stored, table.unit(), SCALE, Some(&self.matrix), &rows), "{text}");
        }
    }
}

fn bench(group: &mut BenchmarkGroup<'_, WallTime>, kernel: Kernel, model: &Model, name: &str, texts: &[String]) {
    let (table, projection) = (model.table(), model.projection());
    let bytes = texts.iter().map(|text| text.len() as u64).sum();
    let elements = texts.len() as u64;
    let rows: Vec<Vec<u32>> = texts.iter().map(|text| model.ngrams.rows(text)).collect();
    let (mut scratch, mut found) = (Scratch::default(), Vec::new());
    let (mut logit_scratch, mut logits) = (LogitScratch::default(), vec![0.0; LANGUAGES]);

    group.throughput(Throughput::ElementsAndBytes { elements, bytes });
    group.bench_function(format!("extracting, {name}"), |bencher| {
        bencher.iter(|| {
            for text in texts {
                found.clear();
                model.ngrams.rows_into(kernel, black_box(text), &mut scratch, &mut found);
                black_box(&found);
            }
        });
    });
    let gathered = rows.iter().map(|rows| rows.len() as u64).sum::<u64>() * NUMBERS as u64;
    group.throughput(Throughput::ElementsAndBytes { elements, bytes: gathered });
    let mut average = vec![0.0; NUMBERS];
    group.bench_function(format!("gathering, {name}"), |bencher| {
        bencher.iter(|| {
            for rows in &rows {
                add_logits(kernel, &table, None, black_box(rows), &mut logit_scratch, &mut average).expect("they fit");
            }
            black_box(&average);
        });
    });
    let projected = elements * (NUMBERS * LANGUAGES * size_of::<f32>()) as u64;
    group.throughput(Throughput::ElementsAndBytes { elements, bytes: projected });
    group.bench_function(format!("projecting, {name}"), |bencher| {
        bencher
            .iter(|| (0..elements).for_each(|_| projection.add(kernel, black_box(&average), black_box(&mut logits))));
    });
    group.throughput(Throughput::ElementsAndBytes { elements, bytes });
    group.bench_function(format!("all, {name}"), |bencher| {
        bencher.iter(|| {
            for text in texts {
                found.clear();
                model.ngrams.rows_into(kernel, black_box(text), &mut scratch, &mut found);
                add_logits(kernel, &table, Some(&projection), &found, &mut logit_scratch, &mut logits)
                    .expect("they fit");
            }
            black_box(&logits);
        });
    });
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(10)
        .configure_from_args();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let words = words(&mut random);
    for (name, spec) in SPECS {
        let model = Model::new(&mut random, spec);
        for kernel in Level::ALL.into_iter().filter_map(|level| Kernel::new(level).ok()) {
            let mut group = criterion.benchmark_group(format!("ngrams/{name}/{}", kernel.level().name()));
            for (kind, length) in LENGTHS {
                for (state, total) in [("cold", COLD), ("warm", WARM)] {
                    let texts = texts(&mut random, &words, length, total);
                    model.check(kernel, &texts[..CHECKED.min(texts.len())]);
                    bench(&mut group, kernel, &model, &format!("{kind}, {state}"), &texts);
                }
            }
            group.finish();
        }
    }
    criterion.final_summary();
}
