// Bodies that arrive while they are read: streamed responses, and files.

import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { arrayBuffer } from 'node:stream/consumers';
import { ReadableStream as PlatformStream } from 'node:stream/web';
import type * as Native from '../native';
import type { BackendHandle } from './backend';
import { ComposioError } from './errors';
import { answerOf, reasonOf, whenAborted } from './native';
import type { ByteStream } from './proxy-request';
import { type CallOptions, Check, callOptions, kindOf } from './validate';

/**
 * A file of a third-party API's response, opened by {@link Session.download}. It can be read once.
 *
 * @example
 * ```ts
 * const { binaryData } = await session.proxyExecute({ toolkit: 'github', endpoint: '/report.pdf', method: 'GET' });
 * if (binaryData) await (await session.download(binaryData)).toFile('report.pdf');
 * ```
 */
export class Download {
  /** Its media type. */
  readonly contentType: string;
  /** Its size in bytes, where it is known. */
  readonly size?: number;
  readonly #reader: Native.ByteReader;
  #body?: ReadableStream<Uint8Array>;

  /** @internal */
  constructor(reader: Native.ByteReader, { signal, timeout }: CallOptions & { timeout: number }) {
    const { content_type, size } = JSON.parse(reader.head);
    this.contentType = content_type;
    if (size !== null) this.size = size;
    this.#reader = reader;
    this.#body = readable(reader, timeout, signal);
  }

  /** The file's bytes as they come. They come as fast as they are read. */
  stream(): ByteStream {
    const body = this.#body;
    if (body === undefined) {
      throw new ComposioError('The file has been read already.', {
        suggestedFix: 'Open it again with session.download().',
      });
    }
    this.#body = undefined;
    return body;
  }

  /** All of the file's bytes, in memory. */
  async bytes(): Promise<Uint8Array> {
    return new Uint8Array(await arrayBuffer(this.stream()));
  }

  /**
   * Writes the file to a path. A complete file replaces the one that was there.
   *
   * @param path The path to write to.
   * @param options `onProgress` receives the number of bytes written, and the size of the file if it
   * is known. `signal` cancels at once and removes the partial file.
   * @throws {ValidationError} If an argument cannot be used.
   * @throws {ComposioError} If nothing can be written there, or the file has been read already.
   * @throws {APIConnectionError} If the file breaks off, or its next bytes do not come in time.
   * @throws The signal's reason, if the signal is aborted.
   */
  async toFile(path: string, options: ToFileOptions = {}): Promise<void> {
    checkToFile(path, options);
    const { onProgress, signal } = options;
    if (signal?.aborted) throw reasonOf(signal);
    const unfinished = `${path}.${randomBytes(6).toString('hex')}.part`;
    // Before the file is read, which can be done once.
    const file = await open(unfinished, 'wx').catch((cause: Error) => {
      const message = `The file ${path} cannot be written: ${cause.message.replace(unfinished, path)}.`;
      throw new ComposioError(message, {
        suggestedFix: 'Name a path in a folder that this process may write to.',
        cause,
      });
    });
    // It ends the wait for the next bytes, with an error that is not worth telling.
    const forget = signal && whenAborted(signal, () => this.#reader.cancel());
    try {
      let written = 0;
      for await (const chunk of this.stream()) {
        await file.writeFile(chunk);
        written += chunk.byteLength;
        onProgress?.({ written, size: this.size });
      }
      await file.close();
      await rename(unfinished, path);
    } catch (error) {
      const reason = signal?.aborted ? reasonOf(signal) : error;
      await file.close();
      await rm(unfinished, { force: true });
      throw reason;
    } finally {
      forget?.();
    }
  }
}

/** Opens a file by its URL. */
export async function openDownload(
  { native, timeout: standard }: BackendHandle,
  binaryData: unknown,
  options?: CallOptions,
): Promise<Download> {
  const check = new Check('file to download');
  const { url } = Object(binaryData);
  if (check.record(binaryData, '')) check.text(url, 'url', 'pass the `binaryData` of a response');
  check.done();
  const { signal, timeout = standard } = callOptions(options);
  const reader = await answerOf<Native.ByteReader>((cancel) => native.download(url, timeout, cancel), signal);
  return new Download(reader, { signal, timeout });
}

/** How {@link Download.toFile} writes. */
export interface ToFileOptions {
  /** Is told after each piece how many bytes have been written, and how many there are in all. */
  onProgress?: (progress: { written: number; size?: number }) => void;
  /** Ends it, also while it waits for bytes. The promise is rejected with the signal's `reason`. */
  signal?: AbortSignal;
}

function checkToFile(path: unknown, options: unknown): void {
  const check = new Check('download options');
  check.text(path, 'path', 'name the file to write');
  if (check.object(options, '', ['onProgress', 'signal'])) {
    const { onProgress } = options;
    if (onProgress !== undefined && typeof onProgress !== 'function') {
      check.wrong('onProgress', `must be a function, but is ${kindOf(onProgress)}.`);
    }
    check.optionalSignal(options.signal, 'signal');
  }
  check.done();
}

/**
 * A native body as a web stream. The stream requests a chunk when its reader waits for one. `timeout` limits
 * that wait. `toReason` makes the error that a reader of a broken stream receives.
 */
export function readable(
  reader: Native.ByteReader,
  timeout: number,
  signal?: AbortSignal,
  toReason: (error: unknown) => unknown = (error) => error,
): ReadableStream<Uint8Array> {
  let forget = () => {};
  return new PlatformStream<Uint8Array>(
    {
      start(controller) {
        if (signal !== undefined) forget = endWhenAborted(signal, controller, reader);
      },
      async pull(controller) {
        try {
          const chunk = await answerOf<Buffer | null>(() => reader.read(timeout));
          if (signal?.aborted) return;
          if (chunk !== null) return controller.enqueue(chunk);
          controller.close();
        } catch (error) {
          reader.cancel();
          controller.error(toReason(error));
        }
        forget();
      },
      cancel() {
        forget();
        reader.cancel();
      },
    },
    { highWaterMark: 0 },
  );
}

/** Streams that were dropped unread, each with how its signal forgets it. */
const dropped = new FinalizationRegistry<() => void>((forget) => forget());

/**
 * Ends a stream with its signal, which may live longer than the stream and does not keep it. A
 * function of its own: what it returns and listens with holds on to nothing else.
 */
function endWhenAborted(
  signal: AbortSignal,
  controller: ReadableStreamDefaultController<Uint8Array>,
  reader: Native.ByteReader,
): () => void {
  const [weakController, weakReader] = [new WeakRef(controller), new WeakRef(reader)];
  const forget = whenAborted(signal, () => {
    weakController.deref()?.error(reasonOf(signal));
    weakReader.deref()?.cancel();
  });
  dropped.register(controller, forget);
  return forget;
}
