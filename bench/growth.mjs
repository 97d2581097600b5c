/** The cost of a call through the gateway as its store grows. growth/ measures it, in Rust. */

import { execFileSync } from 'node:child_process';
import { built } from './built.mjs';

/** Checked at the start, before all other measurements. */
const PROGRAM = built('proxy-execute-bench-growth');

/** The table as a text, and its figure against its target. */
export function growing(log) {
  log('a growing store');
  const printed = execFileSync(PROGRAM, ['--json'], { encoding: 'utf8' });
  const { calls } = JSON.parse(printed);
  const rows = calls.map(({ accounts, sessions, log, micros, ratio, memoryMiB }) => {
    const counts = [accounts, sessions, log].map((count) => count.toLocaleString('en-US'));
    return `| ${[...counts, micros.toFixed(0), ratio.toFixed(2), memoryMiB.toFixed(0)].join(' | ')} |`;
  });
  const at = (wanted) => calls.find(({ accounts, sessions, log }) => accounts === wanted && sessions === 100 && !log);
  return {
    text: [
      '| connected accounts | sessions in turn | calls in the record | µs/call | ratio | memory MiB |',
      '| ---: | ---: | ---: | ---: | ---: | ---: |',
      ...rows,
    ].join('\n'),
    targets: [['a call with 1,000,000 connected accounts, beside 100', '≤ 1.3', at(1_000_000).ratio]],
  };
}
