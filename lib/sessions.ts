// Sessions: how they are opened, found again and deleted.

import type { BackendHandle } from './backend';
import { deleteSession, SESSION_PATH, type Session, sessionFrom } from './session';
import { createSessionBody, type SessionConfig } from './session-config';
import { type CallOptions, id } from './validate';

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
    return sessionFrom(this.#backend, { method: 'POST', path: SESSION_PATH, body }, options);
  }

  /**
   * Returns an existing session. {@link Composio.use} is the same.
   *
   * @param sessionId The session's id, `trs_…`.
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If the id is empty or no string.
   * @throws {NotFoundError} If there is no such session, or no longer.
   *
   * @example
   * ```ts
   * const session = await composio.sessions.use('trs_4f9d…');
   * ```
   */
  async use(sessionId: string, options?: CallOptions): Promise<Session> {
    id(sessionId, 'sessionId');
    return sessionFrom(this.#backend, { method: 'GET', path: [...SESSION_PATH, sessionId] }, options);
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
