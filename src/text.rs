//! The texts of results, as strings of JavaScript.

#![expect(
    unsafe_code,
    reason = "a text becomes a JavaScript string without a copy only through napi's C interface"
)]

use std::ffi::c_void;
use std::ptr::null_mut;

use napi::bindgen_prelude::ToNapiValue;
use napi::{Env, JsValue};
use napi_sys::{
    Status, napi_env, napi_status, napi_value, node_api_basic_env, node_api_basic_finalize,
    node_api_create_external_string_latin1, node_api_create_external_string_utf16,
};

/// A text, in the kind of string that costs the JavaScript thread least.
pub(crate) enum Text {
    Ascii(Vec<u8>),
    Utf16(Vec<u16>),
    Utf8(String),
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        // For a shorter text, making UTF-16 here costs more than V8's own conversion.
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
    /// The length as JavaScript counts it, or slightly more.
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

/// Whether V8 uses the text in place. Below this size, a copy costs less than keeping track of the text.
fn is_external<Unit>(env: &Env, text: &[Unit]) -> bool {
    const LARGE: usize = 64 * 1024;
    // Node.js has had these functions since 20.4.
    size_of_val(text) >= LARGE && env.get_node_version().is_ok_and(|node| (node.major, node.minor) >= (20, 4))
}

/// One of two functions of Node.js, which differ in the type of a character.
type Create<Char> = unsafe fn(
    napi_env,
    *const Char,
    isize,
    node_api_basic_finalize,
    *mut c_void,
    *mut napi_value,
    *mut bool,
) -> napi_status;

/// Makes a string of a text without moving the text.
fn external<Unit, Char>(env: &Env, text: Vec<Unit>, create: Create<Char>) -> napi::Result<napi_value> {
    let (start, length) = (text.as_ptr().cast(), text.len().cast_signed());
    let text = Box::new(text);
    account(env, bytes(&text));
    let (mut string, mut is_copied) = (null_mut(), false);
    let owner = Box::into_raw(text).cast();
    // SAFETY: this is the thread of `env`. The text is not moved or changed before `free`. Node.js calls
    // `free` once: when the string is collected, or immediately if Node.js copies the text.
    let status =
        unsafe { create(env.raw(), start, length, Some(free::<Unit>), owner, &mut string, &mut is_copied) };
    if status != Status::napi_ok {
        // SAFETY: without a string, Node.js does not call `free`.
        unsafe { free::<Unit>(env.raw().cast(), null_mut(), owner) };
        return Err(napi::Error::new(status.into(), "A response cannot be converted to a string."));
    }
    Ok(string)
}

/// Frees a text once its string is collected.
unsafe extern "C" fn free<Unit>(env: node_api_basic_env, _: *mut c_void, owner: *mut c_void) {
    // SAFETY: `external` made `owner` of a box, and `free` is called once.
    let text = unsafe { Box::from_raw(owner.cast::<Vec<Unit>>()) };
    account(&Env::from_raw(env.cast()), -bytes(&text));
}

/// Tells V8 how much memory its strings hold or release outside of its heap.
///
/// Otherwise V8 would not collect the strings before they hold hundreds of megabytes.
fn account(env: &Env, bytes: i64) {
    // V8 uses the number only to decide when to collect, so a failure has no other effect.
    _ = env.adjust_external_memory(bytes);
}

fn bytes<Unit>(text: &[Unit]) -> i64 {
    i64::try_from(size_of_val(text)).unwrap_or(i64::MAX)
}
