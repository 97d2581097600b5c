/** A user with a browser: opens a link, submits the gateway's form, and follows to the end. */

/** Upper limit for the pages of one link. */
const MAX_PAGES = 20;

/**
 * Opens a link, and returns the URL at which the browser ends.
 *
 * @param cookies The cookies of hosts from earlier visits, such as `{ '127.0.0.1:9901': 'user=ann' }`.
 */
export async function visit(link, cookies = {}) {
  const jar = new Map(Object.entries(cookies));
  let url = new URL(link);
  let form;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const response = await fetch(url, {
      method: form ? 'POST' : 'GET',
      body: form,
      redirect: 'manual',
      headers: jar.has(url.host) ? { cookie: jar.get(url.host) } : {},
    });
    const [cookie] = response.headers.getSetCookie();
    if (cookie) jar.set(url.host, cookie.split(';')[0]);
    const html = await response.text();
    const proof = /<form method="post".*?name="proof" value="([^"]*)"/s.exec(html)?.[1];
    const next = response.headers.get('location') ?? response.headers.get('refresh')?.replace('0;url=', '');
    form = next || proof === undefined ? undefined : new URLSearchParams({ proof });
    if (next) url = new URL(next, url);
    else if (!form) {
      if (!response.ok) throw new Error(`${url.origin}${url.pathname} responded with ${response.status}: ${html}`);
      return url;
    }
  }
  throw new Error(`The link leads to more than ${MAX_PAGES} pages.`);
}
