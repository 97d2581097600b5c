import { call } from '../call.mjs';

export const dynamic = 'force-static';

/** It is rendered when it is built, so that the call is made in the built code. */
export default async function Page() {
  return <p>{(await call()).replaceAll('"', '')}</p>;
}
