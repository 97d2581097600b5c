//! Encryption of secrets at rest: AES-256-GCM with a random nonce per write.
//!
//! The associated data binds a ciphertext to its table, row, field and key. A row's secret thus cannot be
//! moved to another row (`docs/architecture.md`, "Secrets"). A key is 32 random bytes. Its id is derived from
//! the key and stored with every ciphertext, so that the right one of several keys decrypts it.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hkdf;
use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use proxy_execute_protocol::{Error, ErrorKind, Result};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use zeroize::Zeroizing;

/// A command that generates a key.
pub(crate) const MAKE_A_KEY: &str = "npx proxy-execute encryption-key";

/// Upper limit for the keys of an option. A rotation needs two.
const MOST_KEYS: usize = 16;

/// The place of an encrypted value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SealedField<'a> {
    pub(crate) table: &'static str,
    pub(crate) row: &'a str,
    pub(crate) field: &'static str,
}

/// The operator's keys: the first one encrypts, and all of them decrypt.
///
/// Each key is 64 hex digits or base64. A text may have several keys, separated by commas or white space.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "KeyTexts")]
pub struct EncryptionKeys(Vec<SecretString>);

#[derive(Deserialize)]
#[serde(untagged)]
enum KeyTexts {
    One(SecretString),
    Several(Vec<SecretString>),
}

impl From<KeyTexts> for EncryptionKeys {
    fn from(texts: KeyTexts) -> Self {
        match texts {
            KeyTexts::One(text) => Self(vec![text]),
            KeyTexts::Several(texts) => Self(texts),
        }
    }
}

impl From<&str> for EncryptionKeys {
    fn from(text: &str) -> Self {
        Self(vec![text.into()])
    }
}

impl From<String> for EncryptionKeys {
    fn from(text: String) -> Self {
        Self(vec![text.into()])
    }
}

/// The keys that encrypt secrets.
pub(crate) struct Vault {
    sealing: VaultKey,
    older: Vec<VaultKey>,
}

struct VaultKey {
    key: RandomizedNonceKey,
    id: String,
    derivation: hkdf::Prk,
}

/// The error of a value that cannot be decrypted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unopenable {
    #[error("the encryption key with the id `{0}` is missing")]
    KeyMissing(String),
    #[error("sealed with another key, or changed since")]
    Changed,
}

impl Unopenable {
    /// The error of a stored secret, with the advice for one that was changed.
    pub(crate) fn of(&self, secret: &str, replace: &str) -> Error {
        let (fact, fix) = match self {
            Self::KeyMissing(_) => (format!(": {self}."), "Restart the gateway with that key too."),
            Self::Changed => (".".to_owned(), replace),
        };
        Error::new(ErrorKind::Internal, format!("{secret} cannot be opened{fact}")).fix(fix)
    }
}

impl Vault {
    /// Creates a vault with the operator's keys.
    ///
    /// # Errors
    /// `InvalidOption`, which quotes no part of a key.
    pub(crate) fn with_keys(keys: &EncryptionKeys) -> Result<Self> {
        let mut keys = key_bytes(&keys.0, "encryptionKey")?.into_iter().map(|bytes| VaultKey::new(&bytes));
        let sealing = keys.next().expect("`key_bytes` returns at least one key");
        Ok(Self { sealing, older: keys.collect() })
    }

    /// Creates a vault with a random key that is never stored, for a store in memory.
    pub(crate) fn ephemeral() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(&mut *bytes).expect("the system has a random number generator");
        Self { sealing: VaultKey::new(&*bytes), older: Vec::new() }
    }

    /// Derives a key for another purpose from each key. A derived key reveals nothing about the vault's key.
    pub(crate) fn derive_keys(&self, purpose: &[u8]) -> Vec<Zeroizing<[u8; 32]>> {
        self.keys().map(|key| key.derive(purpose)).collect()
    }

    /// The id of the key that encrypts. It is not secret.
    pub(crate) fn key_id(&self) -> &str {
        &self.sealing.id
    }

    /// The ids of all keys. The first key encrypts.
    pub(crate) fn key_ids(&self) -> Vec<String> {
        self.keys().map(|key| key.id.clone()).collect()
    }

    /// Encrypts a secret. The result holds nonce, ciphertext and tag.
    pub(crate) fn seal(&self, place: SealedField<'_>, secret: &str) -> Vec<u8> {
        let VaultKey { key, id, .. } = &self.sealing;
        let mut sealed = secret.as_bytes().to_vec();
        let nonce = key
            .seal_in_place_append_tag(associated_data(place, id), &mut sealed)
            .expect("sealing fails only beyond 64 GiB");
        [nonce.as_ref().as_slice(), &sealed].concat()
    }

    /// Decrypts the secret of this place with the key that sealed it. If that key was not noted, any may fit.
    pub(crate) fn open(
        &self,
        place: SealedField<'_>,
        key_id: Option<&str>,
        sealed: &[u8],
    ) -> Result<SecretString, Unopenable> {
        let mut keys = self.keys().filter(|key| key_id.is_none_or(|id| id == key.id)).peekable();
        if let (Some(key_id), None) = (key_id, keys.peek()) {
            return Err(Unopenable::KeyMissing(key_id.to_owned()));
        }
        keys.find_map(|key| key.open(place, sealed)).ok_or(Unopenable::Changed)
    }

    fn keys(&self) -> impl Iterator<Item = &VaultKey> {
        std::iter::once(&self.sealing).chain(&self.older)
    }
}

impl VaultKey {
    fn new(bytes: &[u8]) -> Self {
        let key = RandomizedNonceKey::new(&AES_256_GCM, bytes).expect("the key has 32 bytes");
        let mut labelled = Zeroizing::new(b"proxy-execute key id\0".to_vec());
        labelled.extend_from_slice(bytes);
        let id = HEXLOWER.encode(&digest(&SHA256, &labelled).as_ref()[..8]);
        let derivation = hkdf::Salt::new(hkdf::HKDF_SHA256, b"proxy-execute").extract(bytes);
        Self { key, id, derivation }
    }

    fn derive(&self, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut derived = Zeroizing::new([0; 32]);
        let purpose = [purpose];
        let expanded = self.derivation.expand(&purpose, hkdf::HKDF_SHA256);
        expanded.and_then(|key| key.fill(&mut *derived)).expect("32 bytes can be derived");
        derived
    }

    fn open(&self, place: SealedField<'_>, sealed: &[u8]) -> Option<SecretString> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let secret = self.key.open_in_place(nonce, associated_data(place, &self.id), &mut buffer).ok()?;
        Some(std::str::from_utf8(secret).ok()?.into())
    }
}

fn associated_data(place: SealedField<'_>, key_id: &str) -> Aad<Vec<u8>> {
    // No part can contain NUL, so no two places share an encoding.
    Aad::from(["proxy-execute 1", place.table, place.row, place.field, key_id].join("\0").into_bytes())
}

/// Decodes the keys of an option, at least one. Each is 32 bytes in hexadecimal or base64, and a text may have
/// several, separated by commas or white space.
///
/// # Errors
/// `InvalidOption`, which quotes no part of a key.
pub(crate) fn key_bytes(texts: &[SecretString], option: &str) -> Result<Vec<Zeroizing<Vec<u8>>>> {
    let refused =
        |fact: &str| Error::new(ErrorKind::InvalidOption, format!("{option}: {fact}.")).about(option);
    let no_key = || {
        refused("is not a key of 32 bytes in hexadecimal (64 digits) or base64")
            .fix(format!("Create one with: {MAKE_A_KEY}"))
    };
    let mut keys: Vec<Zeroizing<Vec<u8>>> = Vec::new();
    for text in texts {
        let parts = text.expose_secret().split(|char: char| char == ',' || char.is_whitespace());
        let mut parts = parts.filter(|part| !part.is_empty()).map(str::as_bytes).peekable();
        if parts.peek().is_none() {
            return Err(no_key());
        }
        for text in parts {
            let decoded = HEXLOWER_PERMISSIVE.decode(text).or_else(|_| BASE64.decode(text));
            let bytes = Zeroizing::new(decoded.unwrap_or_default());
            if bytes.len() != 32 {
                return Err(no_key());
            }
            if keys.contains(&bytes) {
                return Err(refused("has the same key twice").fix("Name each key once, the newest first."));
            }
            if keys.len() == MOST_KEYS {
                return Err(refused(&format!("has more than {MOST_KEYS} keys")).fix(
                    "Remove the keys that the store no longer needs: `npx proxy-execute store check` lists them.",
                ));
            }
            keys.push(bytes);
        }
    }
    if keys.is_empty() { Err(no_key()) } else { Ok(keys) }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("key_ids", &self.key_ids()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: SealedField<'_> =
        SealedField { table: "connected_accounts", row: "ca_1", field: "credential" };

    fn key(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    fn vault(digit: char) -> Vault {
        Vault::with_keys(&key(digit).into()).unwrap()
    }

    fn open(vault: &Vault, place: SealedField<'_>, sealed: &[u8]) -> Result<SecretString, Unopenable> {
        vault.open(place, Some(vault.key_id()), sealed)
    }

    #[test]
    fn a_sealed_value_can_be_opened_in_its_own_place_only() {
        let vault = vault('1');
        let sealed = vault.seal(PLACE, "secret");
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_eq!(open(&vault, PLACE, &sealed).unwrap().expose_secret(), "secret");
        assert!(open(&vault, SealedField { row: "ca_2", ..PLACE }, &sealed).is_err());
        assert!(open(&vault, SealedField { field: "other", ..PLACE }, &sealed).is_err());
        assert!(open(&self::vault('2'), PLACE, &sealed).is_err());
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let vault = vault('1');
        let sealed = vault.seal(PLACE, "secret");
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(open(&vault, PLACE, &changed).is_err(), "byte {index}");
        }
        assert!(open(&vault, PLACE, &sealed[..5]).is_err());
    }

    #[test]
    fn no_two_ciphertexts_are_alike() {
        let vault = vault('1');
        assert_ne!(vault.seal(PLACE, "secret"), vault.seal(PLACE, "secret"));
    }

    #[test]
    fn the_first_key_seals_and_all_keys_open() {
        let (old, new) = (vault('1'), vault('2'));
        for separator in [",", " ", "\n", " ,\r\n"] {
            let both = Vault::with_keys(&[key('2'), key('1')].join(separator).into()).unwrap();
            assert_eq!(both.key_ids(), [new.key_id(), old.key_id()]);
            let sealed = both.seal(PLACE, "secret");
            assert_eq!(open(&new, PLACE, &sealed).unwrap().expose_secret(), "secret");
            let older = old.seal(PLACE, "older");
            for key_id in [Some(old.key_id()), None] {
                assert_eq!(both.open(PLACE, key_id, &older).unwrap().expose_secret(), "older");
            }
            // The noted key decides.
            assert!(matches!(both.open(PLACE, Some(new.key_id()), &older), Err(Unopenable::Changed)));
            let missing = new.open(PLACE, Some(old.key_id()), &older).unwrap_err();
            assert!(missing.to_string().contains(old.key_id()), "{missing}");
            assert_eq!(both.derive_keys(b"x"), [new.derive_keys(b"x"), old.derive_keys(b"x")].concat());
        }
    }

    #[test]
    fn keys_come_in_two_notations_and_in_a_text_or_a_list() {
        let hex = Vault::with_keys(&"00ff".repeat(16).into()).unwrap();
        let base64 = BASE64.encode(&[0, 255].repeat(16));
        assert_eq!(hex.key_id(), Vault::with_keys(&base64.as_str().into()).unwrap().key_id());
        let read = |json: serde_json::Value| {
            Vault::with_keys(&serde_json::from_value(json).unwrap()).unwrap().key_ids()
        };
        let other = key('1');
        assert_eq!(
            read(serde_json::json!(format!("{base64},{other}"))),
            read(serde_json::json!([base64, other]))
        );
    }

    #[test]
    fn an_unusable_key_is_refused_without_quoting_it() {
        for key in ["", ",\n", "canary", "canary".repeat(11).as_str(), &format!("{},canary", key('1'))] {
            let error = Vault::with_keys(&key.into()).unwrap_err().to_string();
            assert!(error.contains("encryptionKey") && error.contains(MAKE_A_KEY), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
        let twice = Vault::with_keys(&[key('a'), key('A')].join(",").into()).unwrap_err();
        assert!(twice.to_string().contains("the same key twice"), "{twice}");
        let many: Vec<String> = (0..17).map(|number| format!("{number:064}")).collect();
        Vault::with_keys(&many[..16].join("\n").into()).unwrap();
        let error = Vault::with_keys(&many.join("\n").into()).unwrap_err();
        assert!(error.to_string().contains("more than 16"), "{error}");
    }
}
