//! The FP8 codecs against their definition, and against what `ml_dtypes` gave (tests/vectors/fp8.json).

#[path = "oracle/fp8.rs"]
mod oracle;

use std::path::Path;

use half::f16;
use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};
use wldetect::{Error, Format};

fn same_value(found: f32, expected: f64) -> bool {
    let same = f64::from(found) == expected || (found.is_nan() && expected.is_nan());
    same && found.is_sign_negative() == expected.is_sign_negative()
}

#[test]
fn every_code_decodes_as_defined() {
    for format in Format::ALL {
        for code in 0..=u8::MAX {
            let (found, expected) = (format.decode(code), oracle::decode(format, code));
            assert!(same_value(found, expected), "{} {code:#04x}: {found} for {expected}", format.name());
            assert_eq!(format.is_finite(code), expected.is_finite(), "{} {code:#04x}", format.name());
            assert_eq!(format.decode_table()[code as usize].to_bits(), found.to_bits());
        }
    }
}

#[test]
fn limits_are_those_of_the_formats() {
    assert_eq!((Format::E3M4.max_finite(), Format::E3M4.max_finite_code()), (15.5, 0x6F));
    assert_eq!((Format::E4M3FN.max_finite(), Format::E4M3FN.max_finite_code()), (448.0, 0x7E));
    assert_eq!(Format::E3M4.decode(1), 2_f32.powi(-6));
    assert_eq!(Format::E4M3FN.decode(1), 2_f32.powi(-9));
    assert_eq!((Format::E3M4.decode(0x70), Format::E3M4.decode(0xF0)), (f32::INFINITY, f32::NEG_INFINITY));
}

#[test]
fn every_finite_code_round_trips() {
    for format in Format::ALL {
        for code in (0..=u8::MAX).filter(|&code| format.is_finite(code)) {
            assert_eq!(format.encode(format.decode(code)), Some(code), "{} {code:#04x}", format.name());
        }
    }
}

#[test]
fn halfway_points_go_to_the_even_code_and_their_neighbours_to_the_nearer() {
    for format in Format::ALL {
        let magnitudes = oracle::finite_magnitudes(format);
        for (low, pair) in magnitudes.windows(2).enumerate() {
            let middle = ((pair[0] + pair[1]) / 2.0) as f32;
            assert_eq!(f64::from(middle) * 2.0, pair[0] + pair[1], "the middle is exact");
            let low = low as u8;
            let even = low + low % 2;
            for (value, code) in [(middle, even), (middle.next_down(), low), (middle.next_up(), low + 1)] {
                assert_eq!(format.encode(value), Some(code), "{} {value:e}", format.name());
                assert_eq!(format.encode(-value), Some(code | 0x80), "{} {:e}", format.name(), -value);
                assert_eq!(oracle::encode(&magnitudes, value), Some(code), "the oracle on {value:e}");
            }
        }
    }
}

#[test]
fn what_is_too_large_saturates() {
    for format in Format::ALL {
        let largest = format.max_finite();
        let step = largest - format.decode(format.max_finite_code() - 1);
        for value in [largest, largest + step / 2.0, largest + step, 1e6, f32::MAX, f32::INFINITY] {
            assert_eq!(format.encode(value), Some(format.max_finite_code()), "{} {value}", format.name());
            assert_eq!(format.encode(-value), Some(format.max_finite_code() | 0x80), "{} {}", format.name(), -value);
        }
    }
}

#[test]
fn zeros_and_what_rounds_to_them_keep_their_sign() {
    for format in Format::ALL {
        for value in [0.0, f32::from_bits(1), f32::MIN_POSITIVE, format.decode(1) / 2.0] {
            assert_eq!((format.encode(value), format.encode(-value)), (Some(0), Some(0x80)), "{value:e}");
        }
    }
}

#[test]
fn every_float16_encodes_to_the_nearest() {
    for format in Format::ALL {
        let magnitudes = oracle::finite_magnitudes(format);
        for bits in 0..=u16::MAX {
            let value = f16::from_bits(bits).to_f32();
            assert_eq!(format.encode(value), oracle::encode(&magnitudes, value), "{} {bits:#06x}", format.name());
        }
    }
}

#[test]
fn nan_has_no_code() {
    for format in Format::ALL {
        for bits in [0x7F80_0001, 0x7FC0_0000, 0x7FFF_FFFF, 0xFF80_0001, 0xFFC0_0000, 0xFFFF_FFFF] {
            assert_eq!(format.encode(f32::from_bits(bits)), None, "{} {bits:#x}", format.name());
        }
    }
}

#[test]
fn slices_are_coded_value_by_value() -> wldetect::Result<()> {
    for format in Format::ALL {
        let codes: Vec<u8> = (0..=u8::MAX).filter(|&code| format.is_finite(code)).collect();
        let (mut values, mut again) = (vec![0.0; codes.len()], vec![0; codes.len()]);
        format.decode_slice(&codes, &mut values)?;
        assert!(codes.iter().zip(&values).all(|(&code, value)| value.to_bits() == format.decode(code).to_bits()));
        format.encode_slice(&values, &mut again)?;
        assert_eq!(again, codes);
        format.decode_slice(&[], &mut [])?;
        format.encode_slice(&[], &mut [])?;
    }
    Ok(())
}

#[test]
fn slices_of_different_lengths_are_refused() {
    for format in Format::ALL {
        let refused =
            [format.decode_slice(&[0, 1, 2], &mut [0.0; 2]), format.encode_slice(&[0.0, 1.0, 2.0], &mut [0; 2])];
        for error in refused.map(Result::unwrap_err) {
            assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
            assert_eq!(error.to_string(), "output length: expected 3, found 2");
        }
    }
}

#[test]
fn the_first_nan_of_a_slice_is_named() {
    for format in Format::ALL {
        let error = format.encode_slice(&[0.0, f32::INFINITY, f32::NAN, -f32::NAN], &mut [0; 4]).unwrap_err();
        assert!(matches!(error, Error::NanEncoded { index: 2, format: name } if name == format.name()), "{error:?}");
        assert_eq!(error.to_string(), format!("cannot encode NaN at flat index 2 as {}", format.name()));
    }
}

#[test]
fn formats_have_names() {
    for format in Format::ALL {
        assert_eq!(Format::from_name(format.name()).ok(), Some(format));
    }
    let error = Format::from_name("e5m2").unwrap_err();
    assert_eq!(error.to_string(), "FP8 format: expected \"e3m4\" or \"e4m3fn\", found \"e5m2\"");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_float32_encodes_to_the_nearest(bits in any::<u32>()) {
        let value = f32::from_bits(bits);
        for format in Format::ALL {
            prop_assert_eq!(format.encode(value), oracle::encode(&oracle::finite_magnitudes(format), value));
        }
    }

    /// Random bit patterns seldom fall between the codes; these always do, or within a few binades of it.
    #[test]
    fn float32_near_the_codes_encodes_to_the_nearest(exponent in 110_u32..140, rest in 0_u32..1 << 23, sign: bool) {
        let value = f32::from_bits(u32::from(sign) << 31 | exponent << 23 | rest);
        for format in Format::ALL {
            prop_assert_eq!(format.encode(value), oracle::encode(&oracle::finite_magnitudes(format), value));
        }
    }

    #[test]
    fn subnormal_float32_encodes_to_zero(bits in 1_u32..1 << 23, sign: bool) {
        let value = f32::from_bits(u32::from(sign) << 31 | bits);
        for format in Format::ALL {
            prop_assert_eq!(format.encode(value), Some(u8::from(sign) << 7));
        }
    }
}

/// What the reference package gave for one format.
struct Golden {
    format: Format,
    /// Bits of the value of each code.
    decoded: Vec<u32>,
    /// Code of each float16 bit pattern.
    encoded: Vec<u8>,
}

fn golden() -> (String, Vec<Golden>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/fp8.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: Value = serde_json::from_str(&text).expect("fp8.json is JSON");
    let words = |format: Format, key: &str| -> Vec<String> {
        let lines = file["formats"][format.name()][key].as_array().expect("a list of lines");
        lines.iter().flat_map(|line| line.as_str().expect("text").split(' ').map(str::to_owned)).collect()
    };
    let hexadecimal = |word: &str| u32::from_str_radix(word, 16).expect("a hexadecimal number");
    let formats = Format::ALL.map(|format| {
        let decoded = words(format, "decoded_float32").iter().map(|word| hexadecimal(word)).collect();
        let mut encoded = Vec::with_capacity(1 << 16);
        // Each run of inputs with one code is written as the first input and the code.
        for run in words(format, "encoded_float16").iter().rev() {
            let (first, code) = run.split_once(':').expect("first:code");
            encoded.resize((1 << 16) - hexadecimal(first) as usize, hexadecimal(code) as u8);
        }
        encoded.reverse();
        Golden { format, decoded, encoded }
    });
    (file["sha256"].as_str().expect("a hash").to_owned(), formats.into())
}

#[test]
fn golden_vectors_are_whole() {
    let (expected, formats) = golden();
    let mut hash = Sha256::new();
    for Golden { decoded, encoded, .. } in &formats {
        assert_eq!((decoded.len(), encoded.len()), (1 << 8, 1 << 16));
        decoded.iter().for_each(|bits| hash.update(bits.to_le_bytes()));
        hash.update(encoded);
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(found, expected);
}

#[test]
fn codes_agree_with_ml_dtypes() {
    for Golden { format, decoded, encoded } in golden().1 {
        for (code, &bits) in (0..=u8::MAX).zip(&decoded) {
            let (found, expected) = (format.decode(code), f32::from_bits(bits));
            let same = found.to_bits() == bits || (found.is_nan() && expected.is_nan());
            assert!(same && found.is_sign_negative() == expected.is_sign_negative(), "{} {code:#04x}", format.name());
        }
        for (bits, &code) in (0..=u16::MAX).zip(&encoded) {
            let value = f16::from_bits(bits);
            let expected = match (value.is_nan(), format.is_finite(code)) {
                (true, _) => None,
                (false, true) => Some(code),
                // Where the reference overflows to infinity or NaN, this crate saturates.
                (false, false) => Some(code & 0x80 | format.max_finite_code()),
            };
            assert_eq!(format.encode(value.to_f32()), expected, "{} {bits:#06x}", format.name());
        }
    }
}
