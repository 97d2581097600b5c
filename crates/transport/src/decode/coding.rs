//! The content codings, with the names and the decoder of each.

use std::io;

use brotli_decompressor::{
    BrotliDecoderErrorCode, BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc,
};
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::zstd::params::DParameter;
use compression_codecs::{DecodeV2, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};

use super::DecodeError;

/// 8 MiB, the upper limit for HTTP (RFC 9659 §3).
const ZSTD_WINDOW_LOG: u32 = 23;

/// The error message of libzstd for a frame with a larger window.
const ZSTD_WINDOW_TOO_LARGE: &str = "Frame requires too much memory for decoding";

/// A supported content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// Reads the codings in lines of `Content-Encoding`, in the order in which the server applied them.
///
/// Returns `None` if one of them is unknown. Names are case-insensitive (RFC 9110 §8.4.1), and `identity`
/// stands for no coding.
pub(super) fn parse<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Vec<Coding>> {
    let names = lines.flat_map(|line| line.split(',')).map(|name| name.trim_matches([' ', '\t']));
    names
        .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"))
        .map(Coding::from_name)
        .collect()
}

impl Coding {
    fn from_name(name: &str) -> Option<Self> {
        let known = [
            ("gzip", Self::Gzip),
            ("x-gzip", Self::Gzip),
            ("deflate", Self::Deflate),
            ("br", Self::Brotli),
            ("zstd", Self::Zstd),
        ];
        known.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, coding)| coding)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// Returns the decoder of a body that begins with this byte.
    pub(super) fn codec(self, first: u8) -> Codec {
        match self {
            Self::Gzip => Codec::Library(Box::new(GzipDecoder::new())),
            // Servers send zlib and raw deflate under this name. In zlib, the low half of the first byte is 8
            // (RFC 1950 §2.2). In raw deflate (RFC 1951 §3.2.3), it is 8 only if padding bits are set.
            Self::Deflate if first & 0x0f == 8 => Codec::Library(Box::new(ZlibDecoder::new())),
            Self::Deflate => Codec::Library(Box::new(DeflateDecoder::new())),
            Self::Brotli => Codec::Brotli(brotli()),
            Self::Zstd => {
                let window = DParameter::window_log_max(ZSTD_WINDOW_LOG);
                Codec::Library(Box::new(ZstdDecoder::new_with_params(&[window])))
            }
        }
    }

    /// Whether another member or frame may begin with this byte.
    pub(super) fn continues_with(self, first: u8) -> bool {
        match self {
            Self::Gzip => first == 0x1f,
            // Neither form has members.
            Self::Deflate => false,
            // A brotli stream has no magic number, so its decoder must tell.
            Self::Brotli => true,
            // A frame, or a skippable frame (RFC 8878 §3.1).
            Self::Zstd => first == 0x28 || first & 0xf0 == 0x50,
        }
    }
}

/// The decoder of one coding, which decodes one member after the other.
pub(super) enum Codec {
    Library(Box<dyn DecodeV2 + Send + Sync>),
    Brotli(Box<Brotli>),
}

type Brotli = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

/// Creates a strict decoder. It refuses windows beyond RFC 7932, which may have 1 GiB.
fn brotli() -> Box<Brotli> {
    Box::new(BrotliState::new_strict(
        StandardAlloc::default(),
        StandardAlloc::default(),
        StandardAlloc::default(),
    ))
}

impl Codec {
    /// Resets the decoder for the next member.
    pub(super) fn next_member(&mut self) -> io::Result<()> {
        match self {
            Self::Library(decoder) => decoder.reinit(),
            Self::Brotli(state) => {
                *state = brotli();
                Ok(())
            }
        }
    }

    /// Decodes as much as fits into the output. Returns whether the member has ended.
    pub(super) fn decode(
        &mut self,
        coding: Coding,
        input: &mut PartialBuffer<&[u8]>,
        output: &mut WriteBuffer<'_>,
    ) -> Result<bool, DecodeError> {
        let coding = coding.name();
        let reason = match self {
            Self::Library(decoder) => match decoder.decode(input, output) {
                Ok(ended) => return Ok(ended),
                Err(error) => error.to_string(),
            },
            Self::Brotli(state) => match decode_brotli(state, input, output) {
                BrotliResult::ResultSuccess => return Ok(true),
                BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => return Ok(false),
                BrotliResult::ResultFailure
                    if matches!(
                        state.error_code,
                        BrotliDecoderErrorCode::BROTLI_DECODER_ERROR_FORMAT_WINDOW_BITS
                    ) =>
                {
                    return Err(DecodeError::Window(coding));
                }
                BrotliResult::ResultFailure => {
                    let code = format!("{:?}", state.error_code);
                    code.trim_start_matches("BROTLI_DECODER_ERROR_").to_owned()
                }
            },
        };
        if reason == ZSTD_WINDOW_TOO_LARGE {
            return Err(DecodeError::Window(coding));
        }
        Err(DecodeError::Damaged { coding, reason })
    }
}

fn decode_brotli(
    state: &mut Brotli,
    input: &mut PartialBuffer<&[u8]>,
    output: &mut WriteBuffer<'_>,
) -> BrotliResult {
    let (from, to) = (input.unwritten(), output.initialize_unwritten());
    let (mut read, mut written) = (0, 0);
    let result = BrotliDecompressStream(
        &mut from.len(),
        &mut read,
        from,
        &mut to.len(),
        &mut written,
        to,
        &mut 0,
        state,
    );
    input.advance(read);
    output.advance(written);
    result
}
