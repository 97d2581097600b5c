//! A stack of decoders, driven step by step.

use bytes::{Buf, Bytes, BytesMut};
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};

use super::coding::{Codec, Coding};
use super::{DecodeError, MAX_CODINGS};

/// Upper limit for the bytes that one step reads.
const MOST_INPUT: usize = 64 * 1024;

/// Upper limit for the bytes that one step decodes. They stay in the processor's cache until they are read.
const CHUNK: usize = 8 * 1024;

/// The decoded bytes that the limit on expansion does not count.
const FREE: u64 = 1 << 20;

/// Upper limit for the growth of a body between two of its codings.
///
/// The input of a second coding is already compressed, so an honest body stays far below.
const INNER_EXPANSION: u64 = 200;

/// The result of a step.
#[derive(Debug)]
pub(super) enum Step {
    /// Decoded bytes, at least one.
    Chunk(Bytes),
    /// No bytes yet, but the decoder has more to do.
    Working,
    /// [`Decoder::feed`] or [`Decoder::end`] is needed.
    NeedsInput,
    /// All bytes are decoded.
    Ended,
}

/// Decodes a body that a server has coded once or several times.
pub(super) struct Decoder {
    /// The layers, outermost first: the coding that was applied last is decoded first.
    layers: Vec<Layer>,
    /// The number of bytes that were fed.
    received: u64,
}

impl Decoder {
    /// Creates a decoder for codings in the order in which they were applied.
    pub(super) fn new(codings: &[Coding], max_expansion: Option<u64>) -> Result<Self, DecodeError> {
        if codings.len() > MAX_CODINGS {
            return Err(DecodeError::TooManyCodings(codings.len()));
        }
        let mut layers: Vec<_> =
            codings.iter().rev().map(|coding| Layer::new(*coding, Some(INNER_EXPANSION))).collect();
        if let Some(last) = layers.last_mut() {
            last.max_expansion = max_expansion;
        }
        Ok(Self { layers, received: 0 })
    }

    pub(super) fn lift_expansion_limit(&mut self) {
        if let Some(last) = self.layers.last_mut() {
            last.max_expansion = None;
        }
    }

    /// Supplies the next bytes of the body, after [`Step::NeedsInput`].
    pub(super) fn feed(&mut self, bytes: Bytes) {
        self.received += bytes.len() as u64;
        self.layers[0].input = bytes;
    }

    /// Marks the end of the body, after [`Step::NeedsInput`].
    pub(super) fn end(&mut self) {
        self.layers[0].input_ended = true;
    }

    /// Runs the last layer that has work to do, so that at most one chunk waits between two layers.
    pub(super) fn step(&mut self) -> Result<Step, DecodeError> {
        let last = self.layers.len() - 1;
        for index in (0..=last).rev() {
            match self.layers[index].step(self.received)? {
                Step::NeedsInput => {}
                Step::Chunk(bytes) if index < last => {
                    self.layers[index + 1].input = bytes;
                    return Ok(Step::Working);
                }
                Step::Ended if index < last => {
                    self.layers[index + 1].input_ended = true;
                    return Ok(Step::Working);
                }
                step => return Ok(step),
            }
        }
        Ok(Step::NeedsInput)
    }
}

/// One coding of a body.
struct Layer {
    coding: Coding,
    /// `None` until the first byte.
    codec: Option<Codec>,
    /// Whether a member has begun and has not ended.
    in_member: bool,
    /// Whether zeros followed the last member. Another member may not follow the zeros.
    padded: bool,
    input: Bytes,
    input_ended: bool,
    /// Free space for the next chunk, behind the chunks that were returned.
    buffer: BytesMut,
    /// Whether the last chunk was full, so that the codec may hold more bytes.
    filled: bool,
    decoded: u64,
    max_expansion: Option<u64>,
    /// The error to report after the last chunk.
    fault: Option<DecodeError>,
}

impl Layer {
    fn new(coding: Coding, max_expansion: Option<u64>) -> Self {
        Self {
            coding,
            codec: None,
            in_member: false,
            padded: false,
            input: Bytes::new(),
            input_ended: false,
            buffer: BytesMut::new(),
            filled: false,
            decoded: 0,
            max_expansion,
            fault: None,
        }
    }

    fn step(&mut self, received: u64) -> Result<Step, DecodeError> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let mut most = MOST_INPUT;
        if self.in_member {
            if self.input.is_empty() && !self.filled {
                return if self.input_ended {
                    Err(DecodeError::Truncated(self.coding.name()))
                } else {
                    Ok(Step::NeedsInput)
                };
            }
        } else {
            let Some(first) = self.input.first().copied() else {
                return Ok(if self.input_ended { Step::Ended } else { Step::NeedsInput });
            };
            if !self.begin_member(first)? {
                return Ok(Step::Working);
            }
            // libzstd ignores the window of a frame that it gets in one piece. A first byte on its own makes
            // it check the window of every frame.
            if self.coding == Coding::Zstd {
                most = 1;
            }
        }
        self.decode(most)?;
        if let Some(times) = self.max_expansion
            && self.decoded.saturating_sub(FREE) > received.saturating_mul(times)
        {
            return Err(DecodeError::Expansion(times));
        }
        if self.buffer.is_empty() {
            return Ok(Step::Working);
        }
        Ok(Step::Chunk(self.buffer.split().freeze()))
    }

    /// Prepares for the member that begins with this byte. Returns whether a member begins: zeros after the
    /// last member of gzip are padding, as in gzip(1).
    fn begin_member(&mut self, first: u8) -> Result<bool, DecodeError> {
        let coding = self.coding.name();
        match &mut self.codec {
            None => self.codec = Some(self.coding.codec(first)),
            Some(_) if self.coding == Coding::Gzip && self.input.iter().all(|byte| *byte == 0) => {
                self.padded = true;
                self.input.clear();
                return Ok(false);
            }
            Some(codec) if self.coding.continues_with(first) && !self.padded => codec
                .next_member()
                .map_err(|error| DecodeError::Damaged { coding, reason: error.to_string() })?,
            Some(_) => return Err(DecodeError::Trailing(coding)),
        }
        self.in_member = true;
        Ok(true)
    }

    /// Decodes at most `most` bytes of the input into the buffer.
    fn decode(&mut self, most: usize) -> Result<(), DecodeError> {
        let codec = self.codec.as_mut().expect("a member has begun");
        let free = self.buffer.capacity();
        let size = if free >= CHUNK / 2 { free.min(CHUNK) } else { CHUNK };
        self.buffer.resize(size, 0);
        let given = self.input.len().min(most);
        let mut input = PartialBuffer::new(&self.input[..given]);
        let mut output = WriteBuffer::new_initialized(&mut self.buffer);
        let result = codec.decode(self.coding, &mut input, &mut output);
        let (read, written) = (input.written_len(), output.written_len());
        self.input.advance(read);
        self.buffer.truncate(written);
        self.decoded += written as u64;
        self.filled = written == size;
        let ended = match result {
            Ok(ended) => ended,
            Err(fault) if written > 0 => {
                self.fault = Some(fault);
                false
            }
            // Without input, a codec that holds no more bytes reports an error.
            Err(_) if given == 0 => false,
            Err(fault) => return Err(fault),
        };
        if given > 0 && read == 0 && written == 0 && !ended {
            let reason = "it makes no progress".to_owned();
            return Err(DecodeError::Damaged { coding: self.coding.name(), reason });
        }
        if ended {
            self.in_member = false;
            self.filled = false;
        }
        Ok(())
    }
}
