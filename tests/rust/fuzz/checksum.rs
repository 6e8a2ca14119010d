//! The checksum of a compiled tokenizer, as its format defines it.

/// Bytes of the header's word that holds it.
const PLACE: std::ops::Range<usize> = 32..40;

/// What the bytes should have there.
pub fn checksum(bytes: &[u8]) -> u64 {
    let mut sums = [1, 2, 3, 4];
    for part in [&bytes[..PLACE.start], &bytes[PLACE.end..]] {
        for block in part.chunks(64) {
            let mut block = block.to_vec();
            block.resize(64, 0);
            for (sum, pair) in sums.iter_mut().zip(block.chunks(16)) {
                let word = |at: usize| u64::from_ne_bytes(pair[at..at + 8].try_into().expect("eight bytes"));
                *sum = mix(*sum ^ word(0), word(8));
            }
        }
    }
    sums.into_iter().fold(bytes.len() as u64, mix)
}

/// What they do have there.
pub fn stored(bytes: &[u8]) -> u64 {
    u64::from_ne_bytes(bytes[PLACE].try_into().expect("eight bytes"))
}

/// Makes changed bytes look as if they had been written so.
pub fn repair(bytes: &mut [u8]) {
    let sum = checksum(bytes);
    bytes[PLACE].copy_from_slice(&sum.to_ne_bytes());
}

fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x9E37_79B9_7F4A_7C15) * u128::from(b ^ 0xD6E8_FEB8_6659_FD93);
    product as u64 ^ (product >> 64) as u64
}
