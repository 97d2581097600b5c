//! Identifiers and keys: random, without a meaning.

use std::cell::RefCell;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE32_NOPAD;

/// The number of identifiers for which a thread requests random bytes at once.
///
/// A request for one identifier costs as much as this request, and each call needs an identifier.
const STOCK: usize = 64;

/// The number of random bytes of an identifier.
const BYTES: usize = 13;

thread_local! {
    static IN_STOCK: RefCell<Vec<[u8; BYTES]>> = const { RefCell::new(Vec::new()) };
}

/// Creates an identifier with a prefix for its kind, such as `trs_…` or `ca_…`: 100 random bits.
pub fn random(prefix: &str) -> String {
    let bytes = IN_STOCK.with_borrow_mut(|stock| {
        if stock.is_empty() {
            *stock = random_bytes::<{ STOCK * BYTES }>().as_chunks().0.to_vec();
        }
        stock.pop().expect("it has just been filled")
    });
    named(prefix, &bytes)
}

/// Creates a secret key or token: 256 random bits.
pub(crate) fn secret(prefix: &str) -> String {
    named(prefix, &random_bytes::<32>())
}

/// The SHA-256 of a secret, which is enough to recognize the secret.
pub fn hash(secret: &str) -> Vec<u8> {
    digest(&SHA256, secret.as_bytes()).as_ref().to_vec()
}

/// A random number from 0 to 255.
pub(crate) fn random_byte() -> u8 {
    random_bytes::<1>()[0]
}

/// Random bytes.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::*;

    #[test]
    fn no_two_identifiers_are_alike() {
        let some = || (0..3 * STOCK).map(|_| random("x")).collect::<Vec<_>>();
        let threads = [thread::spawn(some), thread::spawn(some)];
        let all: HashSet<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(all.len(), 6 * STOCK);
        assert!(all.iter().all(|id| id.len() == "x_".len() + 21), "{all:?}");
    }
}
