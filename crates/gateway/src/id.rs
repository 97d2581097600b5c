//! Identifiers and keys: random, without a meaning.

use data_encoding::BASE32_NOPAD;

/// An identifier with its kind in front, such as `trs_…` or `ca_…`: 100 random bits.
pub(crate) fn random(prefix: &str) -> String {
    named(prefix, &random_bytes::<13>())
}

/// A key or token, which opens something: 256 random bits.
pub(crate) fn secret(prefix: &str) -> String {
    named(prefix, &random_bytes::<32>())
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

fn named(prefix: &str, bytes: &[u8]) -> String {
    let mut id = String::with_capacity(prefix.len() + 1 + BASE32_NOPAD.encode_len(bytes.len()));
    id.push_str(prefix);
    id.push('_');
    BASE32_NOPAD.encode_append(bytes, &mut id);
    id.make_ascii_lowercase();
    id
}
