// `encryption-key`: a new key for a store.

import { randomBytes } from 'node:crypto';
import type { Command } from '../command';

export const encryptionKey: Command = {
  name: 'encryption-key',
  summary: 'Prints a new key for the encryption of a store',
  parameters: [],
  options: {},
  examples: [
    'export PROXY_EXECUTE_ENCRYPTION_KEY=$(npx proxy-execute encryption-key)',
    '(umask 077; npx proxy-execute encryption-key > gateway.key)',
  ],
  async run(_given, terminal) {
    const key = randomBytes(32).toString('hex');
    terminal.result({ encryptionKey: key }, () => key);
    return 0;
  },
};
