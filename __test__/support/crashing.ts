/** A process that is killed in the middle of a file. Its arguments are the API's port and the folder of files. */

import { Composio } from '../../index.js';
import { connect, openGateway } from './acme';

async function main(): Promise<void> {
  const [port, folder] = process.argv.slice(2);
  const gateway = await openGateway(Number(port), { files: { folder, expiresIn: 1_000 } });
  await connect(gateway, 'ann');
  const session = await new Composio({ gateway }).create('ann');
  await session.proxyExecute({ toolkit: 'acme', endpoint: '/endless', method: 'GET' });
}

void main();
