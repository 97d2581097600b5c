/**
 * The declarations as a CommonJS program sees them.
 */

import proxyExecute = require('proxy-execute');

export const composio: proxyExecute.Composio = new proxyExecute.Composio({ apiKey: 'k', apiVersion: 'v3' });

// @ts-expect-error no such version
new proxyExecute.Composio({ apiVersion: 'v2' });
