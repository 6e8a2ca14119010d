//! From logits to answers in `f64`, one step after the other: what `Detector` is checked against.

/// What is said about a model's probabilities.
pub struct Rule<'a> {
    pub inverse_temperatures: &'a [f32],
    pub thresholds: &'a [f32],
    pub hidden: &'a [bool],
    /// From how many rows on, the weight of the log odds, and the least sum, of each language.
    pub familiarity: Option<(usize, &'a [f32], &'a [f32])>,
}

impl Rule<'_> {
    /// Probabilities of `logits` that `evidence` rows were pooled to.
    pub fn probabilities(&self, logits: &[f32], evidence: usize) -> Vec<f64> {
        let place = evidence.max(1).min(self.inverse_temperatures.len()) - 1;
        let factor = f64::from(self.inverse_temperatures[place]);
        let peak = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let shares: Vec<f64> =
            logits.iter().map(|&logit| ((f64::from(logit) - f64::from(peak)) * factor).exp()).collect();
        let total: f64 = shares.iter().sum();
        shares.into_iter().map(|share| share / total).collect()
    }

    /// Whether `language`, which has this `logit` and `probability`, is the answer to a text of `evidence` rows; `None`
    /// where it may be either, since what decides is equal but for rounding.
    pub fn answers(&self, language: usize, logit: f32, probability: f32, evidence: usize) -> Option<bool> {
        if self.hidden[language] || probability < self.thresholds[language] {
            return Some(false);
        }
        let Some((from, weights, least)) = self.familiarity else { return Some(true) };
        if evidence < from {
            return Some(true);
        }
        let odds = (f64::from(probability) / (1.0 - f64::from(probability))).min(1e6);
        let weight = f64::from(weights[language]);
        let sum = f64::from(logit) + weight * odds.ln();
        let least = f64::from(least[language]);
        // A probability next to 1 has odds of few digits.
        ((sum - least).abs() > 1e-3 * (1.0 + weight + least.abs())).then_some(sum >= least)
    }
}
