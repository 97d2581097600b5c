// The output of commands: results to standard output, notes to standard error.

import { once } from 'node:events';
import { clearInterval, clearTimeout, setInterval, setTimeout } from 'node:timers';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 };

/** A stream that may be a terminal. */
type Output = NodeJS.WriteStream;

export class Terminal {
  /** Whether results are for machines. */
  readonly json: boolean;

  constructor(json: boolean) {
    this.json = json;
  }

  /** Prints a result: as JSON if `--json` is set, else as these lines. */
  result(value: unknown, lines: () => string | readonly string[]): void {
    const text = this.json ? JSON.stringify(value) : [lines()].flat().join('\n');
    process.stdout.write(`${text}\n`);
  }

  /** Prints lines of a result that has many, and waits for a reader that is slow. */
  async lines(lines: readonly string[]): Promise<void> {
    const text = lines.map((line) => `${line}\n`).join('');
    if (!process.stdout.write(text)) await once(process.stdout, 'drain');
  }

  /** Prints a note for the user, apart from the result. */
  note(line: string): void {
    process.stderr.write(`${line}\n`);
  }

  /** The same, as a warning. */
  warn(line: string): void {
    this.note(`${this.styled('yellow', 'warning:', process.stderr)} ${line}`);
  }

  /** Text in a style, if the stream shows styles. */
  styled(style: keyof typeof STYLES, text: string, stream: Output = process.stdout): string {
    return hasColours(stream) ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text;
  }

  /** Rows with aligned columns, below their names. */
  table(names: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string[] {
    const texts = [names, ...rows].map((row) => row.map((cell) => printable(String(cell ?? '-'))));
    const widths = names.map((_, column) => Math.max(...texts.map((row) => row[column]?.length ?? 0)));
    const lines = texts.map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
    return lines.map((line, index) => (index === 0 ? this.styled('dim', line) : line));
  }

  /** Shows, on a terminal, work that takes longer than half a second. A function says how far the work is. */
  async during<T>(what: string | (() => string), work: Promise<T>): Promise<T> {
    if (!process.stderr.isTTY) return work;
    let frame = 0;
    let interval: NodeJS.Timeout | undefined;
    const timer = setTimeout(() => {
      interval = setInterval(() => {
        frame = (frame + 1) % FRAMES.length;
        process.stderr.write(`\r${FRAMES[frame]} ${typeof what === 'string' ? what : what()}`);
      }, 80);
    }, 500);
    try {
      return await work;
    } finally {
      clearTimeout(timer);
      if (interval !== undefined) {
        clearInterval(interval);
        process.stderr.write('\r\u001b[2K');
      }
    }
  }
}

/** Names and paths come from elsewhere: they must not steer the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '\ufffd');
}

function hasColours(stream: Output): boolean {
  return stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
}
