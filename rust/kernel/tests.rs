//! The loop of `generic` in plain Rust, at the width of every level: what this CPU cannot run is checked here but for
//! the instructions themselves. And the exponential of `softmax`, densely.

use super::generic::{self, FACTORS, LEADING, Vector};
use super::{Kernel, Level, max_rows, portable, scalar, softmax};
use crate::fp8::Format;

/// A vector of `N` codes, its operations written as they are defined.
#[derive(Clone, Copy)]
struct Plain<const N: usize>([u8; N]);

impl<const N: usize> Vector for Plain<N> {
    const BYTES: usize = N;
    type Sums = [i16; N];

    unsafe fn load(at: *const u8) -> Self {
        // SAFETY: the caller says that `N` bytes are readable; an array of bytes needs no alignment.
        Self(unsafe { at.cast::<[u8; N]>().read() })
    }

    unsafe fn zero() -> Self {
        Self([0; N])
    }

    unsafe fn keep_from(mut self, first: usize) -> Self {
        self.0[..first].fill(0);
        self
    }

    unsafe fn zero_sums() -> Self::Sums {
        [0; N]
    }

    unsafe fn add_pair(mut sums: Self::Sums, a: Self, b: Self) -> Self::Sums {
        for (lane, sum) in sums.iter_mut().enumerate() {
            // Checked arithmetic: the test would fail on a sum that leaves 16 bits.
            for code in [a.0[lane], b.0[lane]] {
                let (mantissa, nibble) = (code & 0x0F, usize::from(code >> 4));
                let product = i16::from(mantissa | LEADING[nibble]) * i16::from(FACTORS[nibble]);
                *sum = sum.checked_add(product).expect("32 rows fit in 16 bits");
            }
        }
        sums
    }

    unsafe fn flush(sums: Self::Sums, at: *mut i32) {
        for (lane, sum) in sums.into_iter().enumerate() {
            // SAFETY: the caller says that `N` totals are writable.
            unsafe { *at.add(lane) += i32::from(sum) };
        }
    }
}

fn numbers(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

fn check<const N: usize>() {
    let mut next = numbers(N as u64);
    for columns in N..=2 * N + 9 {
        let data: Vec<u8> = (0..37 * columns).map(|_| next() as u8).collect();
        for count in [0, 1, 2, 31, 32, 33, 63, 64, 65, 130] {
            let rows: Vec<u32> = (0..count).map(|_| next() as u32 % 37).collect();
            let (mut found, mut expected) = (vec![7; columns], vec![7; columns]);
            // SAFETY: the operations of `Plain` need no instructions in particular.
            unsafe { generic::sum_e3m4::<Plain<N>>(&data, columns, &rows, &mut found) };
            scalar::sum_e3m4(&data, columns, &rows, &mut expected);
            assert_eq!(found, expected, "{count} rows of {columns} columns, {N} at a time");
        }
    }
}

#[test]
fn the_loop_is_right_at_every_width() {
    check::<16>();
    check::<32>();
    check::<64>();
}

#[test]
fn a_chunk_of_the_largest_values_fits() {
    for code in [Format::E3M4.max_finite_code(), 0x80 | Format::E3M4.max_finite_code()] {
        let data = [code; 64];
        let mut sums = [0; 64];
        // SAFETY: the operations of `Plain` need no instructions in particular.
        unsafe { generic::sum_e3m4::<Plain<64>>(&data, 64, &[0; 96], &mut sums) };
        assert_eq!(sums, [if code < 0x80 { 96 * 992 } else { -96 * 992 }; 64]);
    }
}

#[test]
fn sums_of_the_most_rows_fit() {
    for format in Format::ALL {
        let largest = i64::from(format.multiple(format.max_finite_code()));
        assert!(largest * max_rows(format) as i64 <= i64::from(i32::MAX), "{}", format.name());
        assert!(largest * (max_rows(format) as i64 + 1) > i64::from(i32::MAX), "{}", format.name());
    }
}

#[test]
fn multiples_are_the_values() {
    for format in Format::ALL {
        for code in 0..=u8::MAX {
            let expected = if format.is_finite(code) { format.decode(code) / format.step() } else { 0.0 };
            assert_eq!(format.multiple(code) as f32, expected, "{} {code:#04x}", format.name());
        }
    }
}

#[test]
fn every_level_decodes_every_code() {
    for kernel in Level::ALL.into_iter().filter_map(|level| Kernel::new(level).ok()) {
        for format in Format::ALL {
            for length in [0, 1, 3, 4, 15, 16, 17, 31, 256, 600] {
                // From the back, so that every code is in some vector and 0xFF in every slice.
                let codes: Vec<u8> = (0..length).map(|i| 255 - (i % 256) as u8).collect();
                let mut values = vec![0.0; length];
                kernel.decode(format, &codes, &mut values);
                for (value, &code) in values.iter().zip(&codes) {
                    assert_eq!(value.to_bits(), format.decode(code).to_bits(), "{} {code:#04x}", format.name());
                }
            }
        }
    }
}

#[test]
fn keys_order_as_values_do() {
    for a in 0..=u8::MAX {
        assert_eq!(portable::code(portable::key(a)), a);
        for format in Format::ALL {
            for b in (0..=u8::MAX).filter(|&b| format.is_finite(a) && format.is_finite(b)) {
                if format.decode(a) < format.decode(b) {
                    assert!(portable::key(a) < portable::key(b), "{} {a:#04x} {b:#04x}", format.name());
                }
            }
        }
    }
}

#[test]
fn the_exponential_is_close_everywhere() {
    assert_eq!(softmax::exp(0.0), 1.0);
    assert_eq!(softmax::exp(-0.0), 1.0);
    let mut worst: f64 = 0.0;
    // Every 61st float from -0 to -87, 17 million of them.
    for bits in ((-0.0_f32).to_bits()..=(-87.0_f32).to_bits()).step_by(61) {
        let x = f32::from_bits(bits);
        let expected = f64::from(x).exp();
        worst = worst.max((f64::from(softmax::exp(x)) / expected - 1.0).abs());
    }
    assert!(worst < 1.2e-7, "off by {worst:e}");
    for x in [-87.000_01, -88.0, -104.0, -1e9, f32::MIN, f32::NEG_INFINITY] {
        assert_eq!(softmax::exp(x), 0.0, "{x}");
    }
}
