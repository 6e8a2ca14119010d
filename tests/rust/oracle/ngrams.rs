//! Logits of n-grams from their definition: what `wldetect::ngrams::add_logits` is checked against, to the bit.

/// The logits of the rows numbered `rows`, at least one. `stored` gives the values of a row in units of `unit`; `projection`
/// holds a row for each of them.
pub fn logits(
    stored: impl Fn(u32) -> Vec<f64>,
    unit: f64,
    scale: f32,
    projection: Option<&[Vec<f32>]>,
    rows: &[u32],
) -> Vec<f32> {
    let mut sums = vec![0.0; stored(rows[0]).len()];
    for &row in rows {
        for (sum, value) in sums.iter_mut().zip(stored(row)) {
            *sum += value;
        }
    }
    let factor = unit * f64::from(scale) / rows.len() as f64;
    let average: Vec<f32> = sums.iter().map(|sum| (sum * factor) as f32).collect();
    let Some(projection) = projection else { return average };
    let mut logits = vec![0.0; projection[0].len()];
    for (&number, row) in average.iter().zip(projection) {
        for (logit, &weight) in logits.iter_mut().zip(row) {
            *logit += number * weight;
        }
    }
    logits
}
