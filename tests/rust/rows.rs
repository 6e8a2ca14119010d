//! Learned rows: averages and steps of Adam at every level and number of threads against the oracle, to the bit; and what
//! they refuse.

use proptest::prelude::*;
use wldetect::kernel::{Kernel, Level};
use wldetect::rows::{Adam, Learned, average, step};
use wldetect::segments::Segments;

const BETAS: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

fn kernels() -> Vec<Kernel> {
    Level::ALL.into_iter().filter_map(|level| Kernel::new(level).ok()).collect()
}

/// A table, its moments, and texts with a gradient each.
#[derive(Clone, Debug)]
struct Case {
    columns: usize,
    tables: [Vec<f32>; 3],
    texts: Vec<Vec<i32>>,
    gradient: Vec<f32>,
}

impl Case {
    fn rows(&self) -> usize {
        self.tables[0].len() / self.columns
    }

    fn ends(&self) -> (Vec<i32>, Vec<i32>) {
        let mut rows = Vec::new();
        let offsets = self.texts.iter().map(|text| {
            let start = rows.len() as i32;
            rows.extend(text);
            start
        });
        let offsets = offsets.collect();
        (rows, offsets)
    }
}

fn any_case() -> impl Strategy<Value = Case> {
    (1_usize..150, 1_usize..70, 0_usize..40).prop_flat_map(|(rows, columns, n)| {
        let table = prop::collection::vec(-2.0_f32..2.0, rows * columns);
        let second = prop::collection::vec(0.0_f32..2.0, rows * columns);
        let text = prop::collection::vec(0..rows as i32, 0..50);
        let gradient = prop::collection::vec(-1.0_f32..1.0, n * columns);
        (table.clone(), table, second, prop::collection::vec(text, n), gradient).prop_map(
            move |(values, first, second, texts, gradient)| Case {
                columns,
                tables: [values, first, second],
                texts,
                gradient,
            },
        )
    })
}

/// One text and one number after the other.
fn oracle_average(case: &Case) -> Vec<f32> {
    let mut averages = Vec::new();
    for text in &case.texts {
        for column in 0..case.columns {
            let mut sum = 0.0_f32;
            for &row in text {
                sum += case.tables[0][row as usize * case.columns + column];
            }
            averages.push(if text.is_empty() { 0.0 } else { sum * (1.0 / text.len() as f32) });
        }
    }
    averages
}

/// One row and one number after the other, by the formula.
fn oracle_step(case: &Case, rate: f64, number: u32) -> [Vec<f32>; 3] {
    let [mut values, mut first, mut second] = case.tables.clone();
    let corrected = rate * (1.0 - 0.999_f64.powi(number as i32)).sqrt() / (1.0 - 0.9_f64.powi(number as i32));
    for row in 0..case.rows() {
        if !case.texts.iter().flatten().any(|&found| found as usize == row) {
            continue;
        }
        for column in 0..case.columns {
            let mut sum = 0.0_f32;
            for (text, rows) in case.texts.iter().enumerate() {
                for _ in rows.iter().filter(|&&found| found as usize == row) {
                    sum += case.gradient[text * case.columns + column] * (1.0 / rows.len() as f32);
                }
            }
            let at = row * case.columns + column;
            first[at] = 0.9_f32 * first[at] + (1.0 - 0.9_f32) * sum;
            second[at] = 0.999_f32 * second[at] + (1.0 - 0.999_f32) * (sum * sum);
            values[at] -= corrected as f32 * (first[at] / (second[at].sqrt() + 1e-8_f32));
        }
    }
    [values, first, second]
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn averages_and_steps_are_those_of_the_oracle(case in any_case(), rate in 0.0_f64..1.0, number in 1_u32..2000) {
        let (rows, offsets) = case.ends();
        let texts = Segments::new("rows", &rows, &offsets, case.rows()).unwrap();
        let adam = Adam::new(rate, BETAS, EPSILON, number).unwrap();
        for kernel in kernels() {
            for threads in [Some(1), Some(3), None] {
                let mut averages = vec![7.0; case.texts.len() * case.columns];
                average(kernel, &case.tables[0], case.columns, texts, threads, &mut averages).unwrap();
                prop_assert_eq!(bits(&averages), bits(&oracle_average(&case)));

                let [mut values, mut first, mut second] = case.tables.clone();
                let learned = Learned { values: &mut values, first: &mut first, second: &mut second };
                step(kernel, &adam, learned, case.columns, texts, &case.gradient, threads).unwrap();
                for (found, expected) in [values, first, second].iter().zip(&oracle_step(&case, rate, number)) {
                    prop_assert_eq!(bits(found), bits(expected));
                }
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let kernel = kernels()[0];
    let segments = |rows: &[i32], offsets: &[i32]| Segments::new("rows", rows, offsets, 2).unwrap_err().to_string();
    assert_eq!(segments(&[0, 2], &[0]), "rows[1]: expected a row below 2, found 2");
    assert_eq!(segments(&[-1], &[0]), "rows[0]: expected a row below 2, found -1");
    assert_eq!(segments(&[0], &[1]), "offsets[0]: expected 0 to 0, found 1");
    assert_eq!(segments(&[0], &[]), "offsets: expected a text for 1 rows, found none");

    let texts = Segments::new("rows", &[0, 1], &[0], 2).unwrap();
    let averaged = |table: &[f32], columns, places| {
        average(kernel, table, columns, texts, None, &mut vec![0.0; places]).unwrap_err().to_string()
    };
    assert_eq!(averaged(&[0.0; 3], 2, 2), "table: expected 4 values, found 3");
    assert_eq!(averaged(&[0.0; 4], 2, 1), "averages: expected 2 values, found 1");
    assert_eq!(averaged(&[], 0, 0), "table: expected at least one column, found none");
    let stepped = |second: usize, gradient: usize| {
        let (mut values, mut first, mut second) = ([0.0; 4], [0.0; 4], vec![0.0; second]);
        let learned = Learned { values: &mut values, first: &mut first, second: &mut second };
        let adam = Adam::new(0.1, BETAS, EPSILON, 1).unwrap();
        step(kernel, &adam, learned, 2, texts, &vec![0.0; gradient], None).unwrap_err().to_string()
    };
    assert_eq!(stepped(5, 2), "second: expected 4 values, found 5");
    assert_eq!(stepped(4, 3), "gradient: expected 2 values, found 3");
    for (rate, betas, epsilon, number) in [
        (-1.0, BETAS, EPSILON, 1),
        (f64::NAN, BETAS, EPSILON, 1),
        (0.1, [1.0, 0.9], EPSILON, 1),
        (0.1, BETAS, EPSILON, 0),
    ] {
        assert!(Adam::new(rate, betas, epsilon, number).unwrap_err().to_string().starts_with("adam: expected a rate"));
    }
}
