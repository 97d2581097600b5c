// Webhooks of Composio, for programs that still receive them from the hosted backend.

import { type ParseWebhook, parsed, type VerifyWebhook, verified, type WebhookRequest } from './webhook';
import type { WebhookEvent } from './webhook-payload';

/** The webhooks of the hosted backend, by {@link Composio.triggers}. A gateway sends events of accounts in the same form. */
export class Triggers {
  /**
   * Verifies that Composio sent a webhook, and reads its payload.
   *
   * @param webhook The body as it arrived, the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`, and
   * the secret.
   * @throws {ValidationError} If an argument is missing or cannot be used.
   * @throws {ComposioWebhookSignatureVerificationError} If no signature is one with this secret, or if the timestamp is
   * too far from now.
   * @throws {ComposioWebhookPayloadError} If the payload is too large, or has no known form.
   *
   * @example
   * ```ts
   * const { payload } = await composio.triggers.verifyWebhook({
   *   id: request.headers.get('webhook-id') ?? '',
   *   timestamp: request.headers.get('webhook-timestamp') ?? '',
   *   signature: request.headers.get('webhook-signature') ?? '',
   *   payload: await request.text(),
   *   secret,
   * });
   * ```
   */
  async verifyWebhook(webhook: VerifyWebhook): Promise<WebhookEvent> {
    return verified(webhook);
  }

  /**
   * Reads a request that carries a webhook. With `verifySecret` it verifies the signature, as
   * {@link verifyWebhook} does.
   *
   * @param request A `Request` of `fetch`, or `{ body, headers }`, where `body` is the text or the bytes that arrived.
   * @param options `verifySecret` and `tolerance` (seconds).
   * @throws {ValidationError} If the secret is empty, a header is missing, or an argument cannot be used.
   * @throws {ComposioWebhookSignatureVerificationError} If no signature is one with the secret, or if the timestamp is
   * too far from now.
   * @throws {ComposioWebhookPayloadError} If the payload is too large, or has no known form.
   *
   * @example
   * ```ts
   * const { payload } = await composio.triggers.parse(request, { verifySecret: secret });
   * ```
   */
  async parse(request: WebhookRequest, options?: ParseWebhook): Promise<WebhookEvent> {
    return parsed(request, options);
  }
}
