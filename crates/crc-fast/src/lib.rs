//! Stands in for the crate of this name, on which `object_store` depends for one checksum, CRC-64/NVME.
//!
//! That crate holds the tables of a hundred checksums, which no linker can leave out: 0.7 MB of the
//! addon. This has what `object_store` calls of it, in the same form. `Cargo.toml` of the workspace
//! puts it in its place.

use std::fmt;

use crc::{CRC_64_NVME, Crc};

static NVME: Crc<u64> = Crc::<u64>::new(&CRC_64_NVME);

/// What can be computed.
#[derive(Debug, Clone, Copy)]
pub enum CrcAlgorithm {
    /// CRC-64/NVME, as in S3's `x-amz-checksum-crc64nvme`.
    Crc64Nvme,
}

/// A checksum of bytes that come in pieces.
pub struct Digest(crc::Digest<'static, u64>);

impl Digest {
    /// Of nothing yet.
    pub fn new(algorithm: CrcAlgorithm) -> Self {
        match algorithm {
            CrcAlgorithm::Crc64Nvme => Self(NVME.digest()),
        }
    }

    /// Takes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all pieces.
    pub fn finalize(&self) -> u64 {
        self.0.clone().finalize()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Digest").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of the catalogue of checksums: <https://reveng.sourceforge.io/crc-catalogue/17plus.htm>.
    #[test]
    fn the_checksum_is_the_catalogues() {
        let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
        digest.update(b"1234");
        digest.update(b"56789");
        assert_eq!(digest.finalize(), 0xae8b_1486_0a79_9888);
    }
}
