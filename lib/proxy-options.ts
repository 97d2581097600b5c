// The options of a proxied call.

import { checkRetry, type RetryOptions } from './retry';
import { CALL_OPTIONS, type CallOptions, Check, checkLimits } from './validate';

/** The form of `data`. */
export type ResponseType = 'json' | 'text' | 'stream' | 'bytes';

/** The options of a proxied call, beside the form of its `data`. */
export interface ProxyOptions extends CallOptions {
  /**
   * Which responses of the API are retried; `false` for none. Default: the `retry` of the {@link Composio} object, else
   * none. `timeout` is for all attempts and the waits between them.
   */
  retry?: RetryOptions | false;
}

const RESPONSE_TYPES: readonly string[] = ['json', 'text', 'stream', 'bytes'] satisfies ResponseType[];

const PROXY_OPTIONS = [...CALL_OPTIONS, 'responseType', 'retry'];

/** Checks the options of a proxied call. */
export function proxyOptions(options: unknown): ProxyOptions & { responseType?: ResponseType } {
  if (options === undefined) return {};
  const check = new Check('call options');
  if (check.object(options, '', PROXY_OPTIONS)) {
    checkLimits(check, options);
    checkRetry(check, options.retry);
    if (options.responseType !== undefined) check.oneOf(options.responseType, 'responseType', RESPONSE_TYPES);
  }
  check.done();
  return options as ProxyOptions;
}
