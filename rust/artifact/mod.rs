//! A model directory's table files: memory-mapped, parsed and validated before anything reads a row.
//!
//! Both are safetensors files: the lookup table of tokens, and beside it, in models that have them, the rows of character
//! n-grams.

mod calibration;
mod header;
mod lookup;
mod mapped;
mod ngrams;

use sha2::{Digest, Sha256};

pub use calibration::Calibrations;
pub use lookup::{Artifact, Metadata};
pub use ngrams::NgramArtifact;

/// Version of the metadata this crate reads and the exporter writes.
pub const FORMAT_VERSION: &str = "1";

/// SHA-256 (hexadecimal) of `parts`, one behind the other.
pub(crate) fn sha256<const N: usize>(parts: [&[u8]; N]) -> String {
    let digest = parts.into_iter().fold(Sha256::new(), Digest::chain_update).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
