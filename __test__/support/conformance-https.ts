/**
 * The conformance suites over HTTPS. They have their own process, because `NODE_EXTRA_CA_CERTS`, which
 * names the authority to trust, applies to the whole process. The server's certificate is in
 * `TLS_CERTIFICATE` and its key in `TLS_KEY`.
 */

import { conformance } from './conformance';
import { resources } from './resources';
import { overHttps } from './ways';

const { TLS_CERTIFICATE: certificate = '', TLS_KEY: key = '' } = process.env;
conformance('over HTTPS', overHttps({ certificate, key }));
resources('resources, over HTTPS', overHttps({ certificate, key }));
