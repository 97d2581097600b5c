// The gateway stores the credentials of users, encrypted, and adds them to calls.

import { type Composio, Gateway, type GatewayOptions } from 'proxy-execute';
import type { DemoApi } from './demo-api.ts';

/** Opens the gateway. It listens on a free port of this machine for its page, on which users connect accounts. */
export async function openGateway(demo: DemoApi, options: GatewayOptions = {}): Promise<Gateway> {
  // A gateway refuses private addresses, except the ones that it is told.
  const gateway = await Gateway.open({ ...options, toolkits: [demo.toolkit], allowPrivateHosts: [demo.host] });
  await gateway.listen();
  return gateway;
}

/** Stores a token that you already have. No program can read it back. */
export async function storeToken(gateway: Gateway, userId: string, toolkit: string, token: string): Promise<void> {
  const credential = { authScheme: 'BEARER_TOKEN', val: { token } } as const;
  const { items } = await gateway.connectedAccounts.list({ userIds: [userId], toolkitSlugs: [toolkit] });
  const [account] = items;
  if (account) await gateway.connectedAccounts.update(account.id, { credential });
  else await gateway.connectedAccounts.import({ userId, toolkit, credential });
}

/** The auth config of links: its users enter a token. With your OAuth client, they sign in at the provider instead. */
export async function linkConfig(composio: Composio, toolkit: string): Promise<string> {
  const { items } = await composio.authConfigs.list({ toolkit });
  const existing = items.find(({ authScheme }) => authScheme === 'BEARER_TOKEN');
  const config =
    existing ??
    (await composio.authConfigs.create(toolkit, {
      type: 'use_custom_auth',
      authScheme: 'BEARER_TOKEN',
      credentials: {},
    }));
  return config.id;
}
