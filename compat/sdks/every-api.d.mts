/** The names that the examples of `docs/sdks.md` use without declaring them. */

import type { Composio, Session } from 'proxy-execute';

export const composio: Composio;
export const session: Session;
