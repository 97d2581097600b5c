/** The interfaces of a gateway. All have the same guarantees. */

import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { createServer } from 'node:tls';
import { generate } from 'selfsigned';
import { Composio, type Gateway, type RemoteOptions } from '../../index.js';

export interface WayIn {
  /** Whether calls and errors travel over HTTP. */
  readonly remote: boolean;
  /** A client whose calls have this timeout, in milliseconds. */
  composio(options?: { timeout?: number }): Composio;
  close(): Promise<void>;
}

/** Opens an interface to a gateway. */
export type Way = (gateway: Gateway) => Promise<WayIn>;

/** The gateway in this process. */
export const inProcess: Way = async (gateway) => ({
  remote: false,
  composio: (options) => new Composio({ gateway, ...options }),
  close: async () => {},
});

/** A port, over HTTP. */
export function overHttp(remote: Partial<RemoteOptions> = {}): Way {
  return async (gateway) => {
    const { url } = await gateway.listen();
    const { key } = await gateway.apiKeys.create({ name: 'conformance' });
    return {
      remote: true,
      composio: (options) => new Composio({ apiKey: key, baseURL: url, ...remote, ...options }),
      close: async () => {},
    };
  };
}

/** The certificates of a TLS server on this machine: its own, and that of its authority. */
export interface Certificates {
  authority: string;
  certificate: string;
  key: string;
}

/** Creates certificates that are valid for a day. */
export async function makeCertificates(): Promise<Certificates> {
  const notAfterDate = new Date(Date.now() + 86_400_000);
  const common = { keyType: 'ec', algorithm: 'sha256', notAfterDate } as const;
  const authority = await generate([{ name: 'commonName', value: 'Authority of tests' }], {
    ...common,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, critical: true },
    ],
  });
  const server = await generate([{ name: 'commonName', value: 'localhost' }], {
    ...common,
    ca: { key: authority.private, cert: authority.cert },
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  return { authority: authority.cert, certificate: server.cert, key: server.private };
}

/** A port behind a TLS server, as behind a load balancer. */
export function overHttps({ certificate, key }: Pick<Certificates, 'certificate' | 'key'>): Way {
  return async (gateway) => {
    const { port } = await gateway.listen();
    const apiKey = (await gateway.apiKeys.create({ name: 'conformance' })).key;
    const server = createServer({ cert: certificate, key }, (outside) => {
      const inside = connect(port, '127.0.0.1');
      outside.pipe(inside).pipe(outside);
      // If one side disconnects, so does the other. The calls report the outcome.
      for (const [one, other] of [
        [outside, inside],
        [inside, outside],
      ] as const) {
        one.on('error', () => other.destroy()).on('close', () => other.destroy());
      }
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const baseURL = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return {
      remote: true,
      composio: (options) => new Composio({ apiKey, baseURL, ...options }),
      close: async () => {
        server.close();
      },
    };
  };
}
