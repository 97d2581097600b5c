// The backend that calls are made on, and the settings that all of its calls share.

import type * as Native from '../native';
import type { Retries } from './retry';

/** The timeout of a call in milliseconds, where neither the call nor the {@link Composio} object has one. */
export const DEFAULT_TIMEOUT = 60_000;

/** A backend and the settings of its calls. */
export interface BackendHandle {
  native: Native.Backend;
  /** The timeout in milliseconds of calls that have none of their own. */
  timeout: number;
  /** The headers that the backend wants to see. */
  headers: Record<string, string>;
  /** The origin of the backend's URL; absent for a gateway in this process. */
  origin?: string;
  /** How proxied calls are retried; absent where none are made. */
  retries?: Retries;
  /** The gateway in this process. The reference keeps it open while a call can be made on it. */
  gateway?: object;
  /** Whether the backend streams responses, as a gateway does; unset until a call has asked. */
  streams?: boolean;
}

/** The origin of a URL; absent if the text is not a URL. */
export function originOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).origin : undefined;
}
