//! Coded bodies.

use std::io::Write;

pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn brotli(body: &[u8]) -> Vec<u8> {
    let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
    encoder.write_all(body).unwrap();
    encoder.into_inner()
}

/// Returns a stream in the extension of brotli with windows of up to 1 GiB.
pub(crate) fn brotli_with_large_window(body: &[u8]) -> Vec<u8> {
    let parameters = brotli::enc::BrotliEncoderParams { large_window: true, lgwin: 28, ..Default::default() };
    let mut coded = Vec::new();
    brotli::BrotliCompress(&mut &body[..], &mut coded, &parameters).unwrap();
    coded
}

pub(crate) fn zstd(body: &[u8]) -> Vec<u8> {
    zstd::encode_all(body, 3).unwrap()
}

/// Returns a zstd frame with a window of this size, without the size of its content.
pub(crate) fn zstd_with_window(log: u32, body: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(log).unwrap();
    encoder.include_contentsize(false).unwrap();
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// Returns a gzip member whose header has every optional field, with its checksum.
pub(crate) fn gzip_with_header(body: &[u8]) -> Vec<u8> {
    let mut header = b"\x1f\x8b\x08\x1f\0\0\0\0\0\xff\x04\0\x1f\x8b\0\0name\0comment\0".to_vec();
    let mut crc = flate2::Crc::new();
    crc.update(&header);
    header.extend(&crc.sum().to_le_bytes()[..2]);
    [header, gzip(body)[10..].to_vec()].concat()
}

/// Returns a zstd frame with a checksum of its content.
pub(crate) fn zstd_with_checksum(body: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}
