import { call } from '../call.mjs';

export const dynamic = 'force-static';

/** The page is rendered at build time, so that the built code makes the call. */
export default async function Page() {
  return <p>{(await call()).replaceAll('"', '')}</p>;
}
