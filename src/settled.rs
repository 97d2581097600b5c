//! The results of calls, and their conversion to values of JavaScript.

#![expect(unsafe_code, reason = "a type defines its conversion to a JavaScript value by an unsafe trait")]

use std::fmt;

use napi::bindgen_prelude::{JsValuesTupleIntoVec, ToNapiValue};
use napi::sys::{napi_env, napi_value};
use proxy_execute_protocol::{Error, ErrorKind, LONGEST_TEXT};

use crate::failure::NativeFailure;
use crate::text::Text;

/// The result of a call: a text, a failure, or another value.
pub(crate) enum Settled {
    Text(Text),
    Failure(Box<NativeFailure>),
    Value(Box<dyn FnOnce(napi_env) -> napi::Result<napi_value> + Send>),
}

impl Settled {
    pub(crate) fn failure(failure: impl Into<NativeFailure>) -> Self {
        Self::Failure(Box::new(failure.into()))
    }

    /// A value that is created on the thread of JavaScript.
    pub(crate) fn value<T: ToNapiValue + Send + 'static>(value: T) -> Self {
        // SAFETY: only `to_napi_value` below calls this function, and its caller vouches for `env`.
        Self::Value(Box::new(|env| unsafe { T::to_napi_value(env, value) }))
    }
}

impl ToNapiValue for Settled {
    unsafe fn to_napi_value(env: napi_env, settled: Self) -> napi::Result<napi_value> {
        // SAFETY: the caller vouches for `env`.
        unsafe {
            match settled {
                Self::Text(text) => Text::to_napi_value(env, text),
                Self::Failure(failure) => NativeFailure::to_napi_value(env, *failure),
                Self::Value(create) => create(env),
            }
        }
    }
}

/// Settled calls that JavaScript receives at once, as `settle(texts, call, settled, call, settled, …)`.
///
/// `texts` holds all short texts. For a short text, `settled` is a number: the position where the text ends.
/// Each value is an argument, because storing it in an array costs several times as much.
#[derive(Default)]
pub struct Batch {
    /// Only ASCII.
    texts: Vec<u8>,
    calls: Vec<(u32, Part)>,
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("calls", &self.calls.len()).finish_non_exhaustive()
    }
}

enum Part {
    /// The end of a short text in `texts`. The text starts where the previous short text ends.
    EndOfText(u32),
    Own(Settled),
}

impl Batch {
    /// The number of calls in a full batch. A small batch lets JavaScript receive its first call sooner, and
    /// a function takes a limited number of arguments.
    pub(crate) const CALLS: usize = 32;

    /// Texts above this size become strings of their own, because copying them costs more than a string.
    const SMALL: usize = 4096;

    pub(crate) fn push(&mut self, call: u32, settled: Settled) {
        let part = match settled {
            Settled::Text(Text::Ascii(text)) if text.len() <= Self::SMALL => {
                self.texts.extend_from_slice(&text);
                // There are at most `CALLS` texts of `SMALL` bytes.
                Part::EndOfText(u32::try_from(self.texts.len()).unwrap_or(u32::MAX))
            }
            Settled::Text(text) if text.length() > LONGEST_TEXT => {
                Part::Own(Settled::failure(too_long(text.length())))
            }
            settled => Part::Own(settled),
        };
        self.calls.push((call, part));
    }

    pub(crate) fn is_full(&self) -> bool {
        self.calls.len() == Self::CALLS
    }
}

impl JsValuesTupleIntoVec for Batch {
    fn into_vec(self, env: napi_env) -> napi::Result<Vec<napi_value>> {
        let mut arguments = Vec::with_capacity(1 + 2 * self.calls.len());
        // SAFETY: napi calls this on the thread of `env`, about to call a function with the values.
        unsafe {
            arguments.push(Text::to_napi_value(env, Text::Ascii(self.texts))?);
            for (call, part) in self.calls {
                arguments.push(u32::to_napi_value(env, call)?);
                arguments.push(match part {
                    Part::EndOfText(end) => u32::to_napi_value(env, end)?,
                    // A value that cannot be created must not keep the other calls from settling.
                    Part::Own(settled) => Settled::to_napi_value(env, settled)
                        .or_else(|error| NativeFailure::to_napi_value(env, not_made(&error).into()))?,
                });
            }
        }
        Ok(arguments)
    }
}

fn too_long(length: usize) -> Error {
    Error::new(
        ErrorKind::UpstreamTooLarge,
        format!("The response is a text of {length} characters, but a JavaScript string has at most {LONGEST_TEXT}."),
    )
    .fix("Ask for less at a time, or read it with `responseType: 'stream'`.")
}

fn not_made(error: &napi::Error) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("The response cannot be converted to a JavaScript value: {}", error.reason),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_javascript_cannot_hold_is_a_failure() {
        // Zeros that are never read take no memory.
        let texts = [
            (Text::Ascii(vec![0; LONGEST_TEXT]), true),
            (Text::Utf16(vec![0; LONGEST_TEXT]), true),
            (Text::Ascii(vec![0; LONGEST_TEXT + 1]), false),
            (Text::Utf16(vec![0; LONGEST_TEXT + 1]), false),
        ];
        for (text, fits) in texts {
            let mut batch = Batch::default();
            batch.push(1, Settled::Text(text));
            match &batch.calls[..] {
                [(1, Part::Own(Settled::Text(_)))] => assert!(fits),
                [(1, Part::Own(Settled::Failure(failure)))] => {
                    assert!(!fits && failure.message.contains("536870889"), "{failure:?}");
                    assert_eq!(failure.slug.as_deref(), Some("UpstreamTooLarge"));
                }
                _ => panic!("{batch:?}"),
            }
        }
    }
}
