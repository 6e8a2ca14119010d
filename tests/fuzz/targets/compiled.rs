#![no_main]

// A target runs one of them.
#[allow(dead_code)]
#[path = "../../rust/fuzz/mod.rs"]
mod fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::compiled::compiled(data));
