//! Signing a request with OAuth 1.0 (RFC 5849), HMAC-SHA1.
//!
//! The signature covers method, URL, query and form body. So it is computed when a request is sent, and again
//! for every redirect that is followed.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use percent_encoding::utf8_percent_encode;
use proxy_execute_protocol::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::{Url, form_urlencoded};

use crate::clock::now;
use crate::credential::injection::{SignatureDefinition, Signer};
use crate::header::media_type;
use crate::query::QUERY;

/// The `oauth1` table of a toolkit's file: the parties of a signature.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OAuth1Definition {
    consumer_key: String,
    consumer_secret: String,
    token: String,
    token_secret: String,
}

impl OAuth1Definition {
    pub(crate) fn signature(&self) -> SignatureDefinition<'_> {
        SignatureDefinition {
            key: "oauth1",
            texts: vec![
                ("consumer_key", &self.consumer_key),
                ("consumer_secret", &self.consumer_secret),
                ("token", &self.token),
                ("token_secret", &self.token_secret),
            ],
            signer: |texts| {
                let [consumer_key, consumer_secret, token, token_secret] =
                    texts.try_into().expect("the definition has four texts");
                Box::new(OAuth1Signer { consumer_key, consumer_secret, token, token_secret })
            },
        }
    }
}

/// The parties of a signature: a client at the provider, and the user of its token.
struct OAuth1Signer {
    consumer_key: SecretString,
    consumer_secret: SecretString,
    token: SecretString,
    token_secret: SecretString,
}

impl fmt::Debug for OAuth1Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth1Signer").finish_non_exhaustive()
    }
}

impl Signer for OAuth1Signer {
    fn sign(&self, method: Method, url: &Url, headers: &mut HeaderMap, body: Option<&[u8]>) {
        let is_form = headers.get(CONTENT_TYPE).is_some_and(is_form);
        let form = body.filter(|_| is_form);
        headers.insert(AUTHORIZATION, self.authorization(method.as_str(), url, form));
    }
}

impl OAuth1Signer {
    /// Computes the `Authorization` header of a request. `form` is the request's body if it is form-encoded.
    fn authorization(&self, method: &str, url: &Url, form: Option<&[u8]>) -> HeaderValue {
        let mut nonce = [0; 16];
        aws_lc_rs::rand::fill(&mut nonce).expect("the system has a random number generator");
        let parameters = [
            ("oauth_consumer_key", self.consumer_key.expose_secret().to_owned()),
            ("oauth_nonce", HEXLOWER.encode(&nonce)),
            ("oauth_signature_method", "HMAC-SHA1".to_owned()),
            ("oauth_timestamp", (now() / 1_000).to_string()),
            ("oauth_token", self.token.expose_secret().to_owned()),
            ("oauth_version", "1.0".to_owned()),
        ];
        let signature = self.signature(method, url, form, &parameters);
        let mut header = String::from("OAuth ");
        for (name, value) in &parameters {
            header.push_str(&format!("{name}=\"{}\", ", encoded(value)));
        }
        header.push_str(&format!("oauth_signature=\"{}\"", encoded(&signature)));
        let mut header = HeaderValue::try_from(header).expect("percent-encoded text is a header value");
        header.set_sensitive(true);
        header
    }

    /// The signature (§3.4.2).
    fn signature(
        &self,
        method: &str,
        url: &Url,
        form: Option<&[u8]>,
        parameters: &[(&str, String)],
    ) -> String {
        let secrets = [&self.consumer_secret, &self.token_secret];
        let key = SecretString::from(secrets.map(|secret| encoded(secret.expose_secret())).join("&"));
        let key = aws_lc_rs::hmac::Key::new(
            aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            key.expose_secret().as_bytes(),
        );
        let base = base_string(method, url, form, parameters);
        BASE64.encode(aws_lc_rs::hmac::sign(&key, base.as_bytes()).as_ref())
    }
}

/// Whether the signature covers a body of this type.
fn is_form(content_type: &HeaderValue) -> bool {
    media_type(content_type).is_some_and(|mime| mime.essence_str() == mime::APPLICATION_WWW_FORM_URLENCODED)
}

/// The text that is signed (§3.4.1).
fn base_string(method: &str, url: &Url, form: Option<&[u8]>, parameters: &[(&str, String)]) -> String {
    let in_body = form_urlencoded::parse(form.unwrap_or_default());
    let mut all: Vec<(String, String)> = url
        .query_pairs()
        .chain(in_body)
        .map(|(name, value)| (encoded(&name), encoded(&value)))
        .chain(parameters.iter().map(|(name, value)| (encoded(name), encoded(value))))
        .collect();
    all.sort();
    let all: Vec<_> = all.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    // `Url` has removed the port if it is the default port of the scheme (§3.4.1.2).
    let mut target = url.clone();
    target.set_query(None);
    target.set_fragment(None);
    [method, target.as_str(), &all.join("&")].map(encoded).join("&")
}

/// Percent-encodes a text (§3.6).
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(consumer: (&str, &str), token: (&str, &str)) -> OAuth1Signer {
        OAuth1Signer {
            consumer_key: consumer.0.into(),
            consumer_secret: consumer.1.into(),
            token: token.0.into(),
            token_secret: token.1.into(),
        }
    }

    fn signed(
        signer: &OAuth1Signer,
        (method, url, form): (&str, &str, Option<&str>),
        parameters: &[(&str, &str)],
    ) -> String {
        let parameters: Vec<_> =
            parameters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        signer.signature(method, &Url::parse(url).unwrap(), form.map(str::as_bytes), &parameters)
    }

    #[test]
    fn the_base_string_matches_the_rfc() {
        // §3.4.1.1.
        let url = Url::parse("http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b#x").unwrap();
        let parameters = [
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
        ]
        .map(|(name, value)| (name, value.to_owned()));
        assert_eq!(
            base_string("POST", &url, Some(b"c2&a3=2+q"), &parameters),
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D\
             %26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a\
             %26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
        );
    }

    #[test]
    fn signatures_match_the_rfc() {
        // §1.2, all three requests of the flow.
        let consumer = ("dpf43f3p2l4k3l03", "kd94hf93k423kf44");
        let method = ("oauth_signature_method", "HMAC-SHA1");
        let key = ("oauth_consumer_key", consumer.0);
        assert_eq!(
            signed(
                &signer(consumer, ("", "")),
                ("POST", "https://photos.example.net/initiate", None),
                &[
                    key,
                    method,
                    ("oauth_timestamp", "137131200"),
                    ("oauth_nonce", "wIjqoS"),
                    ("oauth_callback", "http://printer.example.com/ready"),
                ],
            ),
            "74KNZJeDHnMBp0EMJ9ZHt/XKycU="
        );
        assert_eq!(
            signed(
                &signer(consumer, ("hh5s93j4hdidpola", "hdhd0244k9j7ao03")),
                ("POST", "https://photos.example.net/token", None),
                &[
                    key,
                    method,
                    ("oauth_token", "hh5s93j4hdidpola"),
                    ("oauth_timestamp", "137131201"),
                    ("oauth_nonce", "walatlh"),
                    ("oauth_verifier", "hfdp7dh39dks9884"),
                ],
            ),
            "gKgrFCywp7rO0OXSjdot/IHF7IU="
        );
        assert_eq!(
            signed(
                &signer(consumer, ("nnch734d00sl2jdk", "pfkkdhi9sl3r4s00")),
                ("GET", "http://photos.example.net/photos?file=vacation.jpg&size=original", None),
                &[
                    key,
                    method,
                    ("oauth_token", "nnch734d00sl2jdk"),
                    ("oauth_timestamp", "137131202"),
                    ("oauth_nonce", "chapoH"),
                ],
            ),
            "MdpQcU8iPSUjWoN/UDMsK2sui9I="
        );
    }

    #[test]
    fn a_form_is_signed_as_x_documents_it() {
        // docs.x.com, "Creating a signature".
        let signer = signer(
            ("xvz1evFS4wEEPTGEFPHBog", "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw"),
            (
                "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
                "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
            ),
        );
        let form = "status=Hello%20Ladies%20%2b%20Gentlemen%2c%20a%20signed%20OAuth%20request%21";
        let url = "https://api.twitter.com/1.1/statuses/update.json?include_entities=true";
        let parameters = [
            ("oauth_consumer_key", "xvz1evFS4wEEPTGEFPHBog"),
            ("oauth_nonce", "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "1318622958"),
            ("oauth_token", "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb"),
            ("oauth_version", "1.0"),
        ];
        assert_eq!(signed(&signer, ("POST", url, Some(form)), &parameters), "hCtSmYh+iHYCEqBWrE7C7hYmtUk=");
    }

    #[test]
    fn every_request_has_a_signature_of_its_own() {
        let signer = signer(("key", "canary-1"), ("t/1", "canary-2"));
        let url = Url::parse("https://api.example.com/x").unwrap();
        let [one, other] = [(); 2].map(|()| signer.authorization("GET", &url, None));
        assert_ne!(one, other);
        let text = one.to_str().unwrap();
        for part in [
            "OAuth oauth_consumer_key=\"key\", oauth_nonce=\"",
            "oauth_token=\"t%2F1\"",
            "oauth_signature=\"",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(one.is_sensitive());
        assert!(!format!("{signer:?} {text}").contains("canary"));
    }
}
