import { fileURLToPath } from 'node:url';

export default {
  serverExternalPackages: ['proxy-execute'],
  turbopack: { root: fileURLToPath(new URL('..', import.meta.url)) },
};
