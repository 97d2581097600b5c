// Sessions: how they are opened, found again and deleted.

import type { BackendHandle } from './backend';
import { type CustomTools, checkCustomTools, registryOf } from './custom-tools';
import { deleteSession, SESSION_PATH, type Session, sessionFrom } from './session';
import { createSessionBody, type SessionConfig } from './session-config';
import { CALL_OPTIONS, type CallOptions, Check, checkLimits, id } from './validate';

/** How an existing session is used: with which custom tools, and the options of the call. */
export interface UseSession extends CustomTools, CallOptions {
  /** An option of the Composio SDK. It has no effect: every session has `mcp`. */
  mcp?: boolean;
}

/** Makes the sessions of a backend. */
export let sessionsOn: (backend: BackendHandle) => Sessions;

/** The sessions of users, by {@link Composio.sessions}. */
export class Sessions {
  readonly #backend: BackendHandle;

  static {
    sessionsOn = (backend) => new Sessions(backend);
  }

  private constructor(backend: BackendHandle) {
    this.#backend = backend;
  }

  /**
   * Opens a session for a user. {@link Composio.create} is the same.
   *
   * @param userId Your own id of the user.
   * @param config What the session may do. Default: all toolkits, with the user's own accounts.
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If an argument cannot be used; nothing was sent.
   * @throws {BadRequestError} If the backend refuses the configuration.
   *
   * @example
   * ```ts
   * const session = await composio.sessions.create('user_123', { toolkits: ['github'] });
   * ```
   */
  async create(userId: string, config?: SessionConfig, options?: CallOptions): Promise<Session> {
    const body = createSessionBody(userId, config);
    const tools = registryOf(config?.experimental);
    return sessionFrom(this.#backend, tools, { method: 'POST', path: SESSION_PATH, body }, options);
  }

  /**
   * Returns an existing session. {@link Composio.use} is the same.
   *
   * @param sessionId The session's id, `trs_…`.
   * @param use `customTools` and `customToolkits`, which the backend does not store, and `signal` and `timeout`
   * (milliseconds).
   * @param options `signal` and `timeout` (milliseconds), as a third argument.
   * @throws {ValidationError} If the id is empty or no string, or an option cannot be used.
   * @throws {NotFoundError} If there is no such session, or no longer.
   *
   * @example
   * ```ts
   * const session = await composio.sessions.use('trs_4f9d…');
   * ```
   */
  async use(sessionId: string, use: UseSession = {}, options?: CallOptions): Promise<Session> {
    const check = new Check('session');
    check.text(sessionId, 'sessionId');
    if (check.object(use, '', [...CALL_OPTIONS, 'customTools', 'customToolkits', 'mcp'])) {
      checkLimits(check, use);
      check.optionalFlag(use.mcp, 'mcp');
      checkCustomTools(check, use, '');
    }
    check.done();
    const { customTools, customToolkits, signal, timeout } = use;
    const request = { method: 'GET', path: [...SESSION_PATH, sessionId] } as const;
    const tools = registryOf({ customTools, customToolkits });
    return sessionFrom(this.#backend, tools, request, options ?? { signal, timeout });
  }

  /**
   * Deletes a session without reading it first. The user's accounts stay.
   *
   * @param sessionId The session's id, `trs_…`.
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If the id is empty or no string.
   * @throws {NotFoundError} If there is no such session, or no longer.
   *
   * @example
   * ```ts
   * await composio.sessions.delete('trs_4f9d…');
   * ```
   */
  async delete(sessionId: string, options?: CallOptions): Promise<{ sessionId: string; deleted: boolean }> {
    id(sessionId, 'sessionId');
    return deleteSession(this.#backend, sessionId, options);
  }
}
