/**
 * A gateway in its own process, with a store that other gateways share. It prints when it is ready, makes
 * calls when its parent says so, and prints their outcomes.
 */

import { once } from 'node:events';
import { Composio, Gateway, type GatewayOptions } from '../../index.js';

export interface Program {
  options: GatewayOptions;
  user: string;
  toolkit: string;
  endpoint: string;
  calls: number;
}

export type Outcome = { status: number; data: unknown } | { error: string };

async function main({ options, user, toolkit, endpoint, calls }: Program) {
  const gateway = await Gateway.open(options);
  const session = await new Composio({ gateway }).create(user);
  console.log('ready');
  await once(process.stdin, 'data');
  const call = () =>
    session.proxyExecute({ toolkit, endpoint, method: 'GET' }).then(
      ({ status, data }): Outcome => ({ status, data }),
      (error): Outcome => ({ error: String(error) }),
    );
  console.log(JSON.stringify(await Promise.all(Array.from({ length: calls }, call))));
  await gateway.close();
  process.exit();
}

main(JSON.parse(process.argv[2] ?? ''));
