// The delay of the event loop, which the metrics of a gateway show.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { clearInterval, setInterval } from 'node:timers';
import type * as Native from '../native';

/** The interval of the timer that Node.js measures the delay with, in milliseconds. */
const RESOLUTION = 20;

/** The time that the delays are of, in milliseconds. It is the usual interval of Prometheus. */
const WINDOW = 15_000;

/** Measures how late the event loop runs timers, and passes the delays of each window to a gateway. */
export class EventLoopDelay {
  readonly #native: Native.Gateway;
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION });
  readonly #timer: NodeJS.Timeout;

  constructor(native: Native.Gateway) {
    this.#native = native;
    this.#histogram.enable();
    // Measuring must not keep the process alive.
    this.#timer = setInterval(() => {
      this.report();
      this.#histogram.reset();
    }, WINDOW).unref();
  }

  /** Passes the delays of the present window on. */
  report(): void {
    const histogram = this.#histogram;
    if (histogram.count === 0) return;
    // A value is the time between two runs of the timer, in nanoseconds.
    const delay = (value: number) => Math.max(0, value / 1e9 - RESOLUTION / 1e3);
    this.#native.eventLoopDelays(
      delay(histogram.percentile(50)),
      delay(histogram.percentile(99)),
      delay(histogram.max),
    );
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#histogram.disable();
  }
}
