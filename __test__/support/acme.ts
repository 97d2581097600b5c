/** A toolkit whose API belongs to these tests, and a gateway with this toolkit. */

import { Gateway, type GatewayOptions, type ToolkitDefinition } from '../../index.js';

/** Acme's API is on this port of this machine, below `/base`. */
export function acme(port: number): ToolkitDefinition {
  return {
    slug: 'acme',
    name: 'Acme',
    base_url: `http://127.0.0.1:${port}/base`,
    headers: { 'x-acme-version': '7' },
    schemes: {
      API_KEY: { headers: { 'x-api-key': '{{api_key}}' } },
      BASIC: { basic: { username: '{{username}}', password: '{{password}}' } },
      BEARER_TOKEN: { headers: { Authorization: 'Bearer {{token}}' } },
      OAUTH2: { headers: { Authorization: 'Bearer {{access_token}}' } },
    },
  };
}

/** The same API with its key in the query, and without a key below `/open`. */
export function acmeVariants(port: number): ToolkitDefinition[] {
  return [
    {
      slug: 'acme_query',
      name: 'Acme, by query',
      base_url: `http://127.0.0.1:${port}/base`,
      schemes: { API_KEY: { query: { key: '{{api_key}}' } } },
    },
    {
      slug: 'acme_open',
      name: 'Acme, for everyone',
      base_url: `http://127.0.0.1:${port}/open`,
      schemes: { NO_AUTH: {} },
    },
  ];
}

/** A gateway that may call this port. */
export function openGateway(port: number, options: GatewayOptions = {}): Promise<Gateway> {
  return Gateway.open({
    toolkits: [acme(port), ...acmeVariants(port)],
    allowPrivateHosts: [`127.0.0.1:${port}`],
    ...options,
  });
}

/** Creates an account of Acme with an API key for a user. Returns its id. */
export async function connect(gateway: Gateway, userId: string, apiKey = `key of ${userId}`): Promise<string> {
  const credential = { authScheme: 'API_KEY', val: { api_key: apiKey } };
  return (await gateway.connectedAccounts.import({ userId, toolkit: 'acme', credential })).id;
}
