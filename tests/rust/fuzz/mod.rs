//! What the fuzz targets do with their bytes. Ordinary tests run the same functions over random bytes.

pub mod artifact;
pub mod checksum;
pub mod compiled;
pub mod definition;
pub mod tokenizer;

// Each has helpers for the other tests too.
#[allow(dead_code)]
#[path = "../tokenizer/definition.rs"]
mod definitions;
#[allow(dead_code)]
#[path = "../artifact/model.rs"]
mod model;

/// All bytes that are left.
fn rest<'a>(bytes: &mut arbitrary::Unstructured<'a>) -> &'a [u8] {
    bytes.bytes(bytes.len()).unwrap_or_default()
}
