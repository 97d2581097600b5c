/** Bodies of every kind for both directions, small enough to compare byte by byte. */

import { gzipSync } from 'node:zlib';

export interface Body {
  name: string;
  type: string;
  bytes: Buffer;
  /** The default form of `data`: a value, a text in this encoding, or a file. Null for no body. */
  data: 'json' | BufferEncoding | 'file' | null;
}

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
  'base64',
);
const PDF = Buffer.from('%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n', 'latin1');
const ZIP = Buffer.from('504b0506000000000000000000000000000000000000', 'hex');
/** Every byte, in an order that repeats late. */
const BYTES = Buffer.from(Uint8Array.from({ length: 65_537 }, (_, index) => (index * 31 + (index >> 8)) % 256));
const utf16 = (text: string) => Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')]);
const bom = (text: string) => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(text)]);

const file = (name: string, type: string, bytes: Buffer): Body => ({ name, type, bytes, data: 'file' });
const text = (name: string, type: string, bytes: Buffer | string, encoding: BufferEncoding = 'utf8'): Body => ({
  name,
  type,
  bytes: Buffer.from(bytes as string),
  data: encoding,
});
const json = (name: string, type: string, bytes: Buffer | string): Body => ({
  name,
  type,
  bytes: Buffer.from(bytes as string),
  data: 'json',
});

export const CORPUS: readonly Body[] = [
  { name: 'nothing', type: 'application/octet-stream', bytes: Buffer.alloc(0), data: null },
  file('1 byte', 'application/octet-stream', Buffer.from([0])),
  file('every byte', 'application/octet-stream', BYTES),
  file('NUL bytes', 'application/octet-stream', Buffer.alloc(4096)),
  file('6 MB', 'application/octet-stream', Buffer.concat(Array.from({ length: 92 }, () => BYTES))),
  file('PNG', 'image/png', PNG),
  file('JPEG', 'image/jpeg', Buffer.from('ffd8ffe000104a46494600ffd9', 'hex')),
  file('GIF', 'image/gif', Buffer.from('GIF89a\x01\x00\x01\x00\x00\x00\x00;', 'latin1')),
  file('WebP', 'image/webp', Buffer.from('RIFF\x04\x00\x00\x00WEBP', 'latin1')),
  file('PDF', 'application/pdf', PDF),
  file('ZIP', 'application/zip', ZIP),
  file('gzip as a file', 'application/gzip', gzipSync('packed')),
  file('tar', 'application/x-tar', Buffer.alloc(10_240)),
  file('Word', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', ZIP),
  file('Excel', 'application/vnd.ms-excel', Buffer.from('d0cf11e0a1b11ae1', 'hex')),
  file('MP3', 'audio/mpeg', Buffer.from('494433030000000000', 'hex')),
  file('MP4', 'video/mp4', Buffer.from('0000001866747970', 'hex')),
  file('font', 'font/woff2', Buffer.from('wOF2\0\x01\0\0', 'latin1')),
  file('WebAssembly', 'application/wasm', Buffer.from('0061736d01000000', 'hex')),
  file('SQLite', 'application/vnd.sqlite3', Buffer.from('SQLite format 3\0')),
  file('protobuf', 'application/x-protobuf', Buffer.from([8, 150, 1])),
  file('a diff of GitHub', 'application/vnd.github.v3.diff', Buffer.from('--- a\n+++ b\n')),
  file('text that is Latin-1 and does not say so', 'text/plain', Buffer.from('caf\xe9', 'latin1')),
  file('text that is no UTF-16', 'text/plain; charset=utf-16le', Buffer.from([0, 0xd8, 0x41])),
  text('Latin-1', 'text/plain; charset=iso-8859-1', Buffer.from('na\xefve caf\xe9', 'latin1'), 'latin1'),
  text('UTF-16', 'text/plain; charset=utf-16', utf16('žluťoučký 你好 👩‍👩'), 'utf16le'),
  text('UTF-8 of any script', 'text/plain; charset=utf-8', 'Žluťoučký kůň 你好 👩‍👩‍👧‍👦\u2028'),
  text('text with NUL bytes', 'text/plain', 'a\0b\0'),
  text('text with a byte order mark', 'text/plain', bom('marked')),
  text('line breaks of every kind', 'text/plain', 'a\r\nb\nc\rd'),
  text('HTML', 'text/html', '<!doctype html><p>"quoted" \\ and </p>'),
  text('CSS', 'text/css', 'p { content: "\\201C" }'),
  text('CSV', 'text/csv', 'a,b\r\n"c ""d""",e\r\n'),
  text('Markdown', 'text/markdown', '# Title\n'),
  text('XML', 'application/xml', '<?xml version="1.0"?><a/>'),
  text('Atom', 'application/atom+xml', '<feed/>'),
  text('SVG', 'image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg"/>'),
  text('JavaScript', 'application/javascript', 'export {};'),
  text('YAML', 'application/yaml', 'a: 1\n'),
  text('JSON lines', 'application/x-ndjson', '{"a":1}\n{"a":2}\n'),
  text('server-sent events', 'text/event-stream', 'data: 1\n\ndata: 2\n\n'),
  text('a form', 'application/x-www-form-urlencoded', 'a=1&b=%20'),
  text('a calendar', 'text/calendar', 'BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n'),
  json('JSON', 'application/json', '{"z":1,"a":[null,true,"x"]}'),
  json('JSON with a byte order mark', 'application/json', bom('{"a":1}')),
  json('64-bit integers', 'application/json', '{"id":9223372036854775807,"e":1e400}'),
  json('JSON that is spaced', 'application/vnd.api+json', ' {\n  "a" : 1.0 }\n'),
];
