// multipart/form-data (RFC 7578), as browsers write it, with its size known beforehand: the platform's
// own encoder does not tell it, and several APIs refuse bodies of unknown size.

import { randomBytes } from 'node:crypto';
import { isOfClass } from './platform';

/** A form that is ready to be sent. */
export interface EncodedForm {
  contentType: string;
  /** In bytes. */
  size: number;
  /** Its bytes, each time from the beginning. */
  chunks(): AsyncIterable<Uint8Array>;
}

/** Encodes a form. Files are read as they are sent. */
export function encodeForm(form: FormData): EncodedForm {
  const boundary = `----proxy-execute-${randomBytes(16).toString('hex')}`;
  const parts: (Uint8Array | Blob)[] = [];
  for (const [name, value] of form) {
    const disposition = `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(lineBreaks(name))}"`;
    if (typeof value === 'string') {
      parts.push(Buffer.from(`${disposition}\r\n\r\n${lineBreaks(value)}\r\n`));
    } else {
      const type = value.type || 'application/octet-stream';
      const head = `${disposition}; filename="${escaped(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`;
      parts.push(Buffer.from(head), value, Buffer.from('\r\n'));
    }
  }
  parts.push(Buffer.from(`--${boundary}--\r\n`));
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    size: parts.reduce((sum, part) => sum + (isOfClass(part, 'Blob') ? part.size : part.byteLength), 0),
    chunks: () => chunksOf(parts),
  };
}

async function* chunksOf(parts: readonly (Uint8Array | Blob)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if (isOfClass(part, 'Blob')) yield* part.stream();
    else yield part;
  }
}

function escaped(name: string): string {
  return name.replaceAll('\n', '%0A').replaceAll('\r', '%0D').replaceAll('"', '%22');
}

function lineBreaks(text: string): string {
  return text.replaceAll(/\r\n|\r|\n/g, '\r\n');
}
