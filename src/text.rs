//! The texts of answers, as strings of JavaScript.

#![expect(unsafe_code, reason = "only so can a text become a string of JavaScript without a copy")]

use std::ffi::c_void;
use std::ptr::null_mut;

use napi::bindgen_prelude::ToNapiValue;
use napi::{Env, JsValue};
use napi_sys::{
    Status, napi_env, napi_status, napi_value, node_api_basic_env, node_api_basic_finalize,
    node_api_create_external_string_latin1, node_api_create_external_string_utf16,
};

/// A text, in the make of string that costs the JavaScript thread least.
pub(crate) enum Text {
    Ascii(Vec<u8>),
    Utf16(Vec<u16>),
    Utf8(String),
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        // Below this, making UTF-16 here costs more than V8's own conversion.
        const LARGE: usize = 4096;
        if text.is_ascii() {
            Self::Ascii(text.into_bytes())
        } else if text.len() > LARGE {
            Self::Utf16(text.encode_utf16().collect())
        } else {
            Self::Utf8(text)
        }
    }
}

impl Text {
    /// As JavaScript counts, or a little more.
    pub(crate) fn length(&self) -> usize {
        match self {
            Self::Ascii(text) => text.len(),
            Self::Utf16(text) => text.len(),
            Self::Utf8(text) => text.len(),
        }
    }
}

impl ToNapiValue for Text {
    unsafe fn to_napi_value(env: napi_env, text: Self) -> napi::Result<napi_value> {
        let env = Env::from_raw(env);
        Ok(match text {
            Self::Ascii(text) if is_external(&env, &text) => {
                external(&env, text, node_api_create_external_string_latin1)?
            }
            Self::Utf16(text) if is_external(&env, &text) => {
                external(&env, text, node_api_create_external_string_utf16)?
            }
            Self::Ascii(text) => env.create_string_latin1(text)?.raw(),
            Self::Utf16(text) => env.create_string_utf16(text)?.raw(),
            Self::Utf8(text) => env.create_string(text)?.raw(),
        })
    }
}

/// Whether V8 is to use the text where it is. Below this size, a copy costs less than to keep track.
fn is_external<Unit>(env: &Env, text: &[Unit]) -> bool {
    const LARGE: usize = 64 * 1024;
    // Node.js has had the functions since 20.4.
    size_of_val(text) >= LARGE && env.get_node_version().is_ok_and(|node| (node.major, node.minor) >= (20, 4))
}

/// One of the two functions of Node.js. They differ in what they call a character.
type Create<Char> = unsafe fn(
    napi_env,
    *const Char,
    isize,
    node_api_basic_finalize,
    *mut c_void,
    *mut napi_value,
    *mut bool,
) -> napi_status;

/// Makes a string of a text that stays where it is.
fn external<Unit, Char>(env: &Env, text: Vec<Unit>, create: Create<Char>) -> napi::Result<napi_value> {
    let (start, length) = (text.as_ptr().cast(), text.len().cast_signed());
    let text = Box::new(text);
    account(env, bytes(&text));
    let (mut string, mut is_copied) = (null_mut(), false);
    let owner = Box::into_raw(text).cast();
    // SAFETY: this is the thread of `env`. Nobody moves or changes the text before `free`, which is
    // called once: when the string is collected, or at once should Node.js copy the text nevertheless.
    let status =
        unsafe { create(env.raw(), start, length, Some(free::<Unit>), owner, &mut string, &mut is_copied) };
    if status != Status::napi_ok {
        // SAFETY: without a string, Node.js does not call it.
        unsafe { free::<Unit>(env.raw().cast(), null_mut(), owner) };
        return Err(napi::Error::new(status.into(), "An answer cannot be made a string."));
    }
    Ok(string)
}

/// Frees a text, when nobody has its string any more.
unsafe extern "C" fn free<Unit>(env: node_api_basic_env, _: *mut c_void, owner: *mut c_void) {
    // SAFETY: `external` has made this of a box, and it is called once.
    let text = unsafe { Box::from_raw(owner.cast::<Vec<Unit>>()) };
    account(&Env::from_raw(env.cast()), -bytes(&text));
}

/// Tells V8 of memory that its strings hold outside of its heap, or no longer do: without, it would
/// not collect them before there are hundreds of megabytes.
fn account(env: &Env, bytes: i64) {
    // It is only for V8 to know when to collect.
    _ = env.adjust_external_memory(bytes);
}

fn bytes<Unit>(text: &[Unit]) -> i64 {
    i64::try_from(size_of_val(text)).unwrap_or(i64::MAX)
}
