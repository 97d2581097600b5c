// Makes a call as the user ann, whose token the program stores. Then the user ben connects an account in a browser.

import { existsSync } from 'node:fs';
import { Composio, ComposioError, type Session } from 'proxy-execute';
import { startDemoApi } from './demo-api.ts';
import { linkConfig, openGateway, storeToken } from './gateway.ts';

if (existsSync('.env')) process.loadEnvFile('.env');
const token = process.env.GITHUB_TOKEN;
const toolkit = token ? 'github' : 'demo';

async function main(): Promise<void> {
  const demo = await startDemoApi();
  const gateway = await openGateway(demo, {
    store: 'proxy-execute.db',
    encryptionKey: process.env.PROXY_EXECUTE_ENCRYPTION_KEY,
  });
  const composio = new Composio({ gateway });

  // Once per user: store the token. From then on, calls need only the id that your program has for the user.
  await storeToken(gateway, 'ann', toolkit, token || 'token-of-ann');
  const ann = await composio.create('ann', { toolkits: [toolkit] });
  await printUser(ann);

  // A user without a token in your program connects an account on the gateway's page.
  const authConfigs = { [toolkit]: await linkConfig(composio, toolkit) };
  const ben = await composio.create('ben', { toolkits: [toolkit], authConfigs });
  if (await isConnected(ben)) {
    console.log('\nben has connected an account before. It is in the store, proxy-execute.db.');
  } else {
    const { redirectUrl, waitForConnection } = await ben.authorize(toolkit);
    console.log(`\nOpen this page to connect an account of ben (Ctrl-C ends the program):\n${redirectUrl}`);
    console.log(token ? 'It asks for a token of GitHub.' : 'It asks for a token: enter token-of-ben.');
    await waitForConnection(10 * 60_000);
  }
  await printUser(ben);

  await gateway.close();
  demo.close();
}

async function printUser(session: Session): Promise<void> {
  const { status, data } = await session.proxyExecute({ toolkit, endpoint: '/user', method: 'GET' });
  console.log(`${status} from ${toolkit}:`, data);
}

async function isConnected(session: Session): Promise<boolean> {
  const { items } = await session.toolkits();
  return items.some(({ slug, connection }) => slug === toolkit && connection?.isActive);
}

main().catch((error) => {
  if (!(error instanceof ComposioError)) throw error;
  console.error(error.message); // what failed, why, and what to do
  process.exit(1);
});
