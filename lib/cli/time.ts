// Times on the command line: an age, or a point in time.

import { type Given, UsageError } from './command';

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The time that an option names; nothing without the option. */
export function toTime(given: Given, name: string): Date | undefined {
  const text = given.text(name);
  if (text === undefined) return undefined;
  const age = /^(\d{1,9})([smhd])$/.exec(text);
  // A time without a zone would mean another one on each machine. A date is midnight of UTC.
  const isTime = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text);
  const time = age
    ? new Date(Date.now() - Number(age[1]) * UNITS[age[2] as keyof typeof UNITS])
    : new Date(isTime ? text : Number.NaN);
  if (Number.isNaN(time.getTime())) {
    throw new UsageError(`--${name} must be an age such as 30m, 24h or 7d, or a time such as 2026-11-01T08:00:00Z.`);
  }
  return time;
}
