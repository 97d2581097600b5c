// Sessions: how they are opened, found again and deleted.

import { answerOf } from './native';
import { type Connection, deleteSession, type Session, sessionFrom } from './session';
import { type SessionConfig, writeCreateSession } from './session-config';
import { type CallOptions, callOptions, id } from './validate';

/** The sessions on a connection. */
export let sessionsOn: (connection: Connection) => Sessions;

/** The sessions of users, by {@link Composio.sessions}. */
export class Sessions {
  readonly #connection: Connection;

  static {
    sessionsOn = (connection) => new Sessions(connection);
  }

  private constructor(connection: Connection) {
    this.#connection = connection;
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
    const { native, timeout: standard } = this.#connection;
    const text = writeCreateSession(userId, config);
    const { signal, timeout = standard } = callOptions(options);
    const answer = await answerOf((cancel) => native.createSession(text, timeout, cancel), signal);
    return sessionFrom(this.#connection, answer);
  }

  /**
   * Goes on with a session that exists. {@link Composio.use} is the same.
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
    const { native, timeout: standard } = this.#connection;
    id(sessionId, 'sessionId');
    const { signal, timeout = standard } = callOptions(options);
    const answer = await answerOf((cancel) => native.getSession(sessionId, timeout, cancel), signal);
    return sessionFrom(this.#connection, answer);
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
    return deleteSession(this.#connection, sessionId, options);
  }
}
