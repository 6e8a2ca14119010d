//! From logits to answers in `f64`, one step after the other: what `Detector` is checked against.

/// What is said about a model's probabilities.
pub struct Rule<'a> {
    pub inverse_temperatures: &'a [f32],
    pub thresholds: &'a [f32],
    pub hidden: &'a [bool],
    /// From how many rows on there are other thresholds, and these.
    pub long_texts: Option<(usize, &'a [f32])>,
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

    /// Whether `language`, which has `probability`, is the answer to a text of `evidence` rows.
    pub fn answers(&self, language: usize, probability: f32, evidence: usize) -> bool {
        let thresholds = match self.long_texts {
            Some((from, thresholds)) if evidence >= from => thresholds,
            _ => self.thresholds,
        };
        !self.hidden[language] && probability >= thresholds[language]
    }
}
