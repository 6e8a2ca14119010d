//! Pooling in `f64` over decoded rows, one column after another: what `wldetect::pooling` is checked against.

use wldetect::Pooling;

/// Pooled logits of `ids`, or `None` when `row` (the logits of an id that takes part) has none of them.
pub fn pool(row: impl Fn(u32) -> Option<Vec<f64>>, ids: &[u32], pooling: Pooling) -> Option<Vec<f64>> {
    let rows: Vec<Vec<f64>> = ids.iter().filter_map(|&id| row(id)).collect();
    let columns = rows.first()?.len();
    let pooled = (0..columns).map(|column| {
        let logits: Vec<f64> = rows.iter().map(|row| row[column]).collect();
        let peak = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        match pooling {
            Pooling::Average => logits.iter().sum::<f64>() / logits.len() as f64,
            Pooling::Max => peak,
            Pooling::LogSumExp => peak + logits.iter().map(|logit| (logit - peak).exp()).sum::<f64>().ln(),
        }
    });
    Some(pooled.collect())
}

/// Fails unless each found value is within 1e-5 relative of the expected one. `largest` is the magnitude of the
/// logits that went in: where they cancel, only their rounding is left.
pub fn assert_close(found: &[f32], expected: &[f64], largest: f64) {
    assert_eq!(found.len(), expected.len());
    for (column, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let allowed = 1e-5 * expected.abs() + 1e-13 * largest + f64::from(f32::MIN_POSITIVE);
        let off = (f64::from(found) - expected).abs();
        assert!(off <= allowed, "column {column}: found {found}, expected {expected}, off by {off:e}");
    }
}
