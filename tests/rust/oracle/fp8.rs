//! FP8 straight from the definition of its fields, slowly: what `wldetect::fp8` is checked against.

use wldetect::Format;

/// The value of `code`: (-1)^sign x 1.fraction x 2^(exponent - bias), without the leading one in the lowest binade.
pub fn decode(format: Format, code: u8) -> f64 {
    let (mantissa_bits, bias) = match format {
        Format::E3M4 => (4, 3),
        Format::E4M3FN => (3, 7),
    };
    let sign = if code >= 128 { -1.0 } else { 1.0 };
    let steps = 1 << mantissa_bits;
    let (exponent, fraction) = (i32::from(code % 128) / steps, i32::from(code % 128) % steps);
    let part = f64::from(fraction) / f64::from(steps);
    let magnitude = match (format, exponent, fraction) {
        (Format::E3M4, 7, 0) => f64::INFINITY,
        (Format::E3M4, 7, _) | (Format::E4M3FN, 15, 7) => f64::NAN,
        (_, 0, _) => part * 2_f64.powi(1 - bias),
        _ => (1.0 + part) * 2_f64.powi(exponent - bias),
    };
    magnitude.copysign(sign)
}

/// The finite values of positive sign, in the order of their codes.
pub fn finite_magnitudes(format: Format) -> Vec<f64> {
    (0..128).map(|code| decode(format, code)).take_while(|value| value.is_finite()).collect()
}

/// The code of the finite value nearest to `value` among all of `magnitudes`, the even code of two as near.
pub fn encode(magnitudes: &[f64], value: f32) -> Option<u8> {
    if value.is_nan() {
        return None;
    }
    // Anything past the largest is nearest to the largest; the bound keeps infinity out of the differences.
    let wanted = f64::from(value).abs().min(2.0 * magnitudes[magnitudes.len() - 1]);
    let mut best = 0;
    for (code, &magnitude) in magnitudes.iter().enumerate() {
        let (distance, least) = ((magnitude - wanted).abs(), (magnitudes[best] - wanted).abs());
        if distance < least || (distance == least && code % 2 == 0) {
            best = code;
        }
    }
    Some(best as u8 | if value.is_sign_negative() { 0x80 } else { 0 })
}
