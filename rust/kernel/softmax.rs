//! Softmax and argmax over one row of logits: an exponential without branches, sums with a fixed order.

/// Lanes of a sum: the order of additions is that of eight lanes on every level.
const LANES: usize = 8;

/// e^x for x <= 0, within 2e-7 of it relative; 0 below -87, where the result leaves the range of normal numbers.
///
/// x = k ln 2 + r with |r| <= ln 2 / 2; e^r by a polynomial, 2^k by adding k to the exponent field. e^0 is exactly 1.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const LOWEST: f32 = -87.0;
    // Adding this leaves the nearest integer in the low bits of the significand.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts: the first has so few bits that k times it is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let clamped = if x < LOWEST { LOWEST } else { x };
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = clamped - k * LN2_HIGH - k * LN2_LOW;
    // Least greatest relative error over |r| <= ln 2 / 2, with 1 + r held fixed: 3e-9 before rounding.
    let tail = ((((1.381_446_7e-3 * r + 8.368_781e-3) * r + 4.166_839_3e-2) * r + 0.166_665_2) * r + 0.499_999_94) * r;
    let e = 1.0 + (r + tail * r);
    let power = shifted.to_bits().wrapping_sub(ROUND.to_bits()) << 23;
    let e = f32::from_bits(e.to_bits().wrapping_add(power));
    if x < LOWEST { 0.0 } else { e }
}

/// Folds `values` into `lanes`, a block at a time; `filling` changes nothing.
#[inline(always)]
fn fold<const N: usize, T: Copy>(
    values: &[f32],
    filling: f32,
    mut lanes: [T; N],
    each: impl Fn(T, f32) -> T,
) -> [T; N] {
    let (blocks, rest) = values.as_chunks::<N>();
    let mut last = [filling; N];
    let first = N - rest.len();
    match values.last_chunk::<N>() {
        // The block that ends where the values end, less what is in the blocks before it.
        Some(chunk) => {
            for lane in 0..N {
                last[lane] = if lane < first { filling } else { chunk[lane] };
            }
        }
        None => last[first..].copy_from_slice(rest),
    }
    // One loop for both kinds of blocks: the compiler makes vectors of it, but not of a block that stands alone.
    for index in 0..=blocks.len() {
        let block = if index < blocks.len() { &blocks[index] } else { &last };
        for lane in 0..N {
            lanes[lane] = each(lanes[lane], block[lane]);
        }
    }
    lanes
}

/// Sum of `term` of every value; `filling` is a value whose term is 0.
#[inline(always)]
fn sum(values: &[f32], filling: f32, term: impl Fn(f32) -> f32) -> f64 {
    let lanes = fold::<LANES, f64>(values, filling, [0.0; LANES], |lane, value| lane + f64::from(term(value)));
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (b + f)) + ((c + g) + (d + h))
}

#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    const LOWEST: f32 = f32::NEG_INFINITY;
    let mut lanes = fold::<{ 2 * LANES }, f32>(values, LOWEST, [LOWEST; 2 * LANES], larger);
    // By halves: four dependent steps rather than sixteen.
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            lanes[lane] = larger(lanes[lane], lanes[lane + half]);
        }
    }
    lanes[0]
}

/// Index of the first value equal to `wanted`.
#[inline(always)]
fn first(values: &[f32], wanted: f32) -> Option<usize> {
    let (blocks, _) = values.as_chunks::<{ 2 * LANES }>();
    // A whole block is compared without branches; the search within it runs once.
    let whole = blocks.iter().take_while(|block| !block.iter().fold(false, |any, &value| any | (value == wanted)));
    let start = whole.count() * 2 * LANES;
    values[start..].iter().position(|&value| value == wanted).map(|index| start + index)
}

#[inline(always)]
pub(super) fn softmax(logits: &mut [f32], factor: f32) {
    let peak = largest(logits);
    for logit in logits.iter_mut() {
        // Before multiplying: a difference of 0 stays 0, and one too large for a float stays minus infinity.
        *logit = exp((*logit - peak) * factor);
    }
    let share = 1.0 / sum(logits, 0.0, |e| e);
    for e in logits.iter_mut() {
        *e = (f64::from(*e) * share) as f32;
    }
}

#[inline(always)]
pub(super) fn best(logits: &[f32], factor: f32) -> Option<(usize, f32)> {
    let peak = largest(logits);
    // The largest of all has e^0 = 1 for its share.
    let share = 1.0 / sum(logits, f32::NEG_INFINITY, |logit| exp((logit - peak) * factor));
    first(logits, peak).map(|index| (index, share as f32))
}
