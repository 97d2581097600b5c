// A caller's text, as errors quote it.

/** How many characters of a text an error shows. */
const LONGEST = 80;

/** Control characters, line and paragraph separators, and the characters of UAX #9 that set a direction. */
const MISLEADING = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * At most 80 characters of a text. Control and bidirectional characters are escaped, so that the text
 * can neither begin a line of its own nor reorder the words around it.
 */
export function quoted(text: string): string {
  // A character has at most two units, so what is behind 160 of them is never read.
  const characters = [...text.slice(0, 2 * LONGEST + 2)];
  const shown = characters.slice(0, LONGEST).join('');
  const escaped = shown.replace(MISLEADING, (char) => SHORT[char] ?? `\\u{${char.charCodeAt(0).toString(16)}}`);
  return characters.length > LONGEST ? `${escaped}…` : escaped;
}
