//! Encryption of secrets at rest: AES-256-GCM with a random nonce per write.
//!
//! The associated data binds a ciphertext to its table, row, field and key. A row's secret thus cannot be
//! moved to another row (`docs/architecture.md`, "Secrets"). A key is 32 random bytes. Its id is derived from
//! the key and stored with every ciphertext, so that keys can be distinguished when one replaces another.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hkdf;
use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use proxy_execute_protocol::{Error, ErrorKind, Result};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// A command that generates a key, on any machine with this package's runtime.
pub(crate) const MAKE_A_KEY: &str =
    r#"node -e "console.log(require('node:crypto').randomBytes(32).toString('hex'))""#;

/// The place of an encrypted value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SealedField<'a> {
    pub(crate) table: &'static str,
    pub(crate) row: &'a str,
    pub(crate) field: &'static str,
}

/// The key that encrypts secrets.
pub(crate) struct Vault {
    key: RandomizedNonceKey,
    key_id: String,
    derivation: hkdf::Prk,
}

/// The error of a value that cannot be decrypted: the key is another one, or the value was changed.
#[derive(Debug, thiserror::Error)]
#[error("sealed with another key, or changed since")]
pub(crate) struct Unopenable;

impl Vault {
    /// Creates a vault with the operator's key: 32 bytes as 64 hex digits or as base64.
    ///
    /// # Errors
    /// `InvalidOption`, which quotes no part of the key.
    pub(crate) fn with_key(key: &SecretString) -> Result<Self> {
        Ok(Self::from_bytes(&key_bytes(key, "encryptionKey")?))
    }

    /// Creates a vault with a random key that is never stored, for a store in memory.
    pub(crate) fn ephemeral() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(&mut *bytes).expect("the system has a random number generator");
        Self::from_bytes(&*bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let key = RandomizedNonceKey::new(&AES_256_GCM, bytes).expect("the key has 32 bytes");
        let mut labelled = Zeroizing::new(b"proxy-execute key id\0".to_vec());
        labelled.extend_from_slice(bytes);
        let key_id = HEXLOWER.encode(&digest(&SHA256, &labelled).as_ref()[..8]);
        let derivation = hkdf::Salt::new(hkdf::HKDF_SHA256, b"proxy-execute").extract(bytes);
        Self { key, key_id, derivation }
    }

    /// Derives a key for another purpose. The derived key reveals nothing about the vault's key.
    pub(crate) fn derive_key(&self, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut derived = Zeroizing::new([0; 32]);
        let purpose = [purpose];
        let expanded = self.derivation.expand(&purpose, hkdf::HKDF_SHA256);
        expanded.and_then(|key| key.fill(&mut *derived)).expect("32 bytes can be derived");
        derived
    }

    /// The id of the key. It is not secret.
    pub(crate) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Encrypts a secret. The result holds nonce, ciphertext and tag.
    pub(crate) fn seal(&self, place: SealedField<'_>, secret: &str) -> Vec<u8> {
        let mut sealed = secret.as_bytes().to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(self.associated_data(place), &mut sealed)
            .expect("sealing fails only beyond 64 GiB");
        [nonce.as_ref().as_slice(), &sealed].concat()
    }

    /// Decrypts the secret of this place.
    pub(crate) fn open(&self, place: SealedField<'_>, sealed: &[u8]) -> Result<SecretString, Unopenable> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(Unopenable)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unopenable)?;
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let secret = self
            .key
            .open_in_place(nonce, self.associated_data(place), &mut buffer)
            .map_err(|_| Unopenable)?;
        Ok(std::str::from_utf8(secret).map_err(|_| Unopenable)?.into())
    }

    fn associated_data(&self, place: SealedField<'_>) -> Aad<Vec<u8>> {
        // No part can contain NUL, so no two places share an encoding.
        Aad::from(
            ["proxy-execute 1", place.table, place.row, place.field, &self.key_id].join("\0").into_bytes(),
        )
    }
}

/// Decodes the 32 bytes of a key from an option's hexadecimal or base64 text.
///
/// # Errors
/// `InvalidOption`, which quotes no part of the key.
pub(crate) fn key_bytes(key: &SecretString, option: &str) -> Result<Zeroizing<Vec<u8>>> {
    let text = key.expose_secret().trim();
    let decoded = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).or_else(|_| BASE64.decode(text.as_bytes()));
    let bytes = Zeroizing::new(decoded.unwrap_or_default());
    if bytes.len() != 32 {
        return Err(Error::new(
            ErrorKind::InvalidOption,
            format!("{option}: is not a key of 32 bytes in hexadecimal (64 digits) or base64."),
        )
        .about(option)
        .about(option)
        .fix(format!("Create one with: {MAKE_A_KEY}")));
    }
    Ok(bytes)
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: SealedField<'_> =
        SealedField { table: "connected_accounts", row: "ca_1", field: "credential" };

    fn vault(digit: char) -> Vault {
        Vault::with_key(&digit.to_string().repeat(64).into()).unwrap()
    }

    #[test]
    fn a_sealed_value_can_be_opened_in_its_own_place_only() {
        let vault = vault('1');
        let sealed = vault.seal(PLACE, "secret");
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_eq!(vault.open(PLACE, &sealed).unwrap().expose_secret(), "secret");
        assert!(vault.open(SealedField { row: "ca_2", ..PLACE }, &sealed).is_err());
        assert!(vault.open(SealedField { field: "other", ..PLACE }, &sealed).is_err());
        assert!(self::vault('2').open(PLACE, &sealed).is_err());
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let vault = vault('1');
        let sealed = vault.seal(PLACE, "secret");
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(vault.open(PLACE, &changed).is_err(), "byte {index}");
        }
        assert!(vault.open(PLACE, &sealed[..5]).is_err());
    }

    #[test]
    fn no_two_ciphertexts_are_alike() {
        let vault = vault('1');
        assert_ne!(vault.seal(PLACE, "secret"), vault.seal(PLACE, "secret"));
    }

    #[test]
    fn keys_come_in_two_notations() {
        let hex = Vault::with_key(&"00ff".repeat(16).into()).unwrap();
        let base64 = Vault::with_key(&BASE64.encode(&[0, 255].repeat(16)).into()).unwrap();
        assert_eq!(hex.key_id(), base64.key_id());
    }

    #[test]
    fn an_unusable_key_is_refused_without_quoting_it() {
        for key in ["", "canary", "canary".repeat(11).as_str()] {
            let error = Vault::with_key(&key.into()).unwrap_err().to_string();
            assert!(error.contains("encryptionKey") && error.contains("randomBytes"), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
