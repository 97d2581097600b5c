//! Identifiers and keys: random, without a meaning.

use data_encoding::BASE32_NOPAD;

/// An identifier with its kind in front, such as `trs_…` or `ca_…`: 100 random bits.
pub(crate) fn random(prefix: &str) -> String {
    format!("{prefix}_{}", lower_case(&random_bytes::<13>()))
}

/// A key or token, which opens something: 256 random bits.
pub(crate) fn secret(prefix: &str) -> String {
    format!("{prefix}_{}", lower_case(&random_bytes::<32>()))
}

/// Anything between 0 and 255.
pub(crate) fn random_byte() -> u8 {
    random_bytes::<1>()[0]
}

fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has a random number generator");
    bytes
}

fn lower_case(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}
