// Bodies of bytes: their sources, and their way to the native side.

import { isArrayBuffer, isUint8Array } from 'node:util/types';
import type * as Native from '../native';
import { encodeForm } from './form-data';
import { answerOf, completions, native } from './native';
import { isOfClass } from './platform';
import { type Check, kindOf } from './validate';

/** Bytes in this process, or a stream of them. A stream is read as it is sent, and can be sent once. */
export type Bytes = Uint8Array | ArrayBuffer | Blob | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** A body of bytes: the bytes, or where they are. */
export type BinaryBody =
  | Bytes
  | {
      /** The bytes: a `Buffer`, a `Uint8Array`, a `Blob`, or a stream of the web or of Node.js. */
      data: Bytes;
      /** Their media type. Default: that of a `Blob`, else `application/octet-stream`. */
      contentType?: string;
      /** How many bytes a stream has, if it is known: several APIs want to know it beforehand. */
      size?: number;
    }
  | {
      /** A file of this machine. It is read as it is sent. */
      path: string;
      /** Its media type. Default: `application/octet-stream`. */
      contentType?: string;
    }
  | {
      /** Where the gateway fetches the bytes, without signing in. */
      url: string;
      /** Their media type. Default: that of the response. */
      contentType?: string;
    }
  | {
      /** The bytes in base64, at most 4 MiB of them. */
      base64: string;
      /** Their media type. Default: `application/octet-stream`. */
      contentType?: string;
    };

/** A body of bytes, as it travels. */
export interface WireBinaryBody {
  url?: string;
  base64?: string;
  text?: string;
  content_type?: string;
  size?: number;
}

/** The bytes that are sent beside a request. Without `isOnce`, they can be sent again. */
export type Source = { path: string } | { chunks: () => Chunks; isOnce?: boolean };

/** Where chunks come from. */
export interface Chunks {
  next(): Promise<IteratorResult<unknown>>;
  /** Releases their source, even during a wait for the next chunk. */
  cancel(): void;
}

/** How long 4 MiB are in base64. */
const LONGEST_BASE64 = Math.ceil((4 * 1024 * 1024) / 3) * 4;

const KEYS = ['data', 'path', 'url', 'base64', 'contentType', 'size'];

/** The bytes of one copy: few enough that the event loop is not blocked noticeably. */
const PIECE = 256 * 1024;

/** Checks a body of bytes, and takes it apart into what is written and what is sent beside it. */
export function checkBinaryBody(check: Check, body: unknown): { wire: WireBinaryBody; source?: Source } | undefined {
  if (isBytes(body)) return fromBytes(check, body, 'binaryBody');
  if (typeof body === 'string') {
    check.wrong('binaryBody', 'must be bytes, but is a string: pass `{ path }` or `{ url }`, or text as `body`.');
    return undefined;
  }
  if (!check.object(body, 'binaryBody', KEYS)) return undefined;
  const { data, path, url, base64, contentType, size } = body;
  const given = Object.entries({ data, path, url, base64 }).filter(([, value]) => value !== undefined);
  if (given.length !== 1) {
    check.wrong('binaryBody', 'needs exactly one of `data`, `path`, `url` and `base64`.');
    return undefined;
  }
  if (check.optionalText(contentType, 'binaryBody.contentType') && contentType !== undefined) {
    check.headerValue(contentType, 'binaryBody.contentType');
  }
  check.optionalWhole(size, 'binaryBody.size', 0);
  if (size !== undefined && data === undefined) check.wrong('binaryBody.size', 'is for `data` only.');
  const type = { content_type: contentType as string | undefined };
  if (data !== undefined) {
    if (!isBytes(data)) {
      check.wrong('binaryBody.data', `must be bytes or a stream of them, but is ${kindOf(data)}.`);
      return undefined;
    }
    const { wire, source } = fromBytes(check, data, 'binaryBody.data');
    if (size !== undefined && wire.size !== undefined && size !== wire.size) {
      check.wrong('binaryBody.size', `is ${size}, but the data has ${wire.size} bytes: leave \`size\` out.`);
    }
    const announced = (size as number | undefined) ?? wire.size;
    return { wire: { content_type: type.content_type ?? wire.content_type, size: announced }, source };
  }
  if (path !== undefined) {
    check.text(path, 'binaryBody.path');
    return { wire: type, source: { path: path as string } };
  }
  if (url !== undefined) check.text(url, 'binaryBody.url');
  else check.text(base64, 'binaryBody.base64', '', LONGEST_BASE64);
  return { wire: { url: url as string | undefined, base64: base64 as string | undefined, ...type } };
}

/** Checks a form, and makes a body of it. */
export function checkFormData(check: Check, form: unknown): { wire: WireBinaryBody; source?: Source } | undefined {
  if (!isOfClass(form, 'FormData')) {
    check.wrong('formData', `must be a FormData, but is ${kindOf(form)}.`);
    return undefined;
  }
  const { contentType, size, chunks } = encodeForm(form);
  return { wire: { content_type: contentType, size }, source: { chunks: () => chunksOf(chunks()) } };
}

/** Whether a value is what {@link Bytes} says. Bytes of another realm are no instances of this one's classes. */
export function isBytes(value: unknown): value is Bytes {
  return (
    ArrayBuffer.isView(value) ||
    isArrayBuffer(value) ||
    isOfClass(value, 'Blob') ||
    isOfClass(value, 'ReadableStream') ||
    typeof Object(value)[Symbol.asyncIterator] === 'function'
  );
}

function fromBytes(check: Check, bytes: Bytes, path: string): { wire: WireBinaryBody; source: Source } {
  if (isOfClass(bytes, 'ReadableStream') && bytes.locked) {
    check.wrong(path, `is a stream that is in use already: a stream can be sent once.`);
  }
  const { wire, ...source } = bytesSource(bytes);
  return { wire, source };
}

/** Takes bytes apart into what is written and what is sent beside it. */
export function bytesSource(bytes: Bytes): { wire: WireBinaryBody; chunks: () => Chunks; isOnce?: boolean } {
  if (isOfClass(bytes, 'Blob')) {
    const wire = { content_type: bytes.type || undefined, size: bytes.size };
    return { wire, chunks: () => chunksOf(bytes.stream()) };
  }
  if (ArrayBuffer.isView(bytes) || isArrayBuffer(bytes)) {
    const view = ArrayBuffer.isView(bytes)
      ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : new Uint8Array(bytes);
    return { wire: { size: view.byteLength }, chunks: () => chunksOf([view]) };
  }
  return { wire: {}, chunks: () => chunksOf(bytes), isOnce: true };
}

/** The chunks of a stream of the web or of Node.js, or of a list. */
export function chunksOf(bytes: ReadableStream | Iterable<unknown> | AsyncIterable<unknown>): Chunks {
  return isOfClass(bytes, 'ReadableStream') ? fromWebStream(bytes) : fromIterable(bytes);
}

function fromWebStream(stream: ReadableStream<Uint8Array>): Chunks {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  return {
    async next() {
      reader ??= stream.getReader();
      const { done, value } = await reader.read();
      return done ? { done, value: undefined } : { done, value };
    },
    cancel() {
      // The source of the stream learns the reason.
      (reader ?? stream).cancel().catch(() => {});
    },
  };
}

function fromIterable(iterable: Iterable<unknown> | AsyncIterable<unknown>): Chunks {
  let iterator: Iterator<unknown> | AsyncIterator<unknown> | undefined;
  return {
    async next() {
      iterator ??= Symbol.asyncIterator in iterable ? iterable[Symbol.asyncIterator]() : iterable[Symbol.iterator]();
      return iterator.next();
    },
    cancel() {
      // A Node.js stream ends at once; a generator ends at its next chunk.
      const { destroy } = iterable as { destroy?: () => void };
      if (typeof destroy === 'function') destroy.call(iterable);
      else Promise.resolve(iterator?.return?.()).catch(() => {});
    },
  };
}

/**
 * Makes a call that sends these bytes, too.
 *
 * @throws what their source throws, that very object, if it does.
 */
export function sending<T extends { status: number }>(
  source: Source | undefined,
  call: (upload?: Native.Upload) => Promise<T>,
): Promise<T> {
  return source === undefined ? call() : sendingBytes(source, call);
}

async function sendingBytes<T extends { status: number }>(
  source: Source,
  call: (upload?: Native.Upload) => Promise<T>,
): Promise<T> {
  if ('path' in source) return call(native.Upload.file(source.path, completions()));
  const upload = new native.Upload(completions());
  const chunks = source.chunks();
  let failure: { error: unknown } | undefined;
  let isOpen = true;
  const end = (complete: boolean) => {
    // Only once, because a released source may look as if it had ended.
    if (isOpen) upload.end(complete);
    isOpen = false;
  };
  const letGo = () => {
    if (!isOpen) return;
    end(false);
    chunks.cancel();
  };
  feed(upload, chunks).then(
    () => end(true),
    (error) => {
      failure = { error };
      end(false);
    },
  );
  try {
    const answer = await call(upload);
    // An API that accepts what it has not read yet still reads it; one that refuses it does not.
    if (answer.status >= 300) letGo();
    return answer;
  } catch (error) {
    letGo();
    throw failure === undefined ? error : failure.error;
  }
}

/** Pushes the chunks as long as they are wanted. */
async function feed(upload: Native.Upload, chunks: Chunks): Promise<void> {
  for (let next = await chunks.next(); !next.done; next = await chunks.next()) {
    const chunk = next.value;
    if (!isUint8Array(chunk)) {
      chunks.cancel();
      throw new TypeError(`The stream of a body returned ${kindOf(chunk)}, but must return Uint8Arrays.`);
    }
    for (let at = 0; at < chunk.byteLength; at += PIECE) {
      const piece = chunk.subarray(at, at + PIECE);
      const wanted = await answerOf(() => upload.push(piece)).then(
        () => true,
        () => false,
      );
      if (!wanted) {
        chunks.cancel();
        return;
      }
    }
  }
}
