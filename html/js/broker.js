// SPDX-License-Identifier: MIT
// What the HTTP endpoint tells a page about its broker: where it is, and how it is known.

const portOf = (address) => Number(/(\d+)$/.exec(address)?.[1]);
const isLoopback = (host) => ['localhost', '127.0.0.1', '[::1]'].includes(host);
const pin = (hex) => ({algorithm: 'sha-256',
  value: Uint8Array.from(hex.match(/../g), (b) => parseInt(b, 16))});

/**
 * `serverCertificateHashes` for the broker at `url`, from the HTTP endpoint that this page came
 * from: its self-signed certificate and the one that follows it.  Undefined when the browser has
 * to judge the certificate by itself: it comes from an authority, or the broker is another one.
 */
export async function certificateHashes(url, api = '/api/v1/cert') {
  const {hostname, port} = new URL(url);
  const same = hostname === location.hostname
    || (isLoopback(hostname) && isLoopback(location.hostname));
  const answer = same && await fetch(api, {cache: 'no-store'});
  if (!answer?.ok) return undefined;
  const {certificates} = await answer.json();
  const there = certificates.filter((c) => c.listens.some((l) => l.webtransport
    && portOf(l.address) === Number(port || 443)));
  const wanted = there.length > 0 ? there : certificates; // a port may be mapped on the way
  if (!wanted.every((c) => c.self_signed)) return undefined;
  return wanted.flatMap((c) => [c.sha256, c.next_sha256]).filter(Boolean).map(pin);
}

/** URL of the first WebTransport location that the configuration of the HTTP endpoint names. */
export async function brokerUrl(api = '/api/v1/config') {
  const answer = await fetch(api, {cache: 'no-store'});
  if (!answer.ok) return undefined;
  for (const {listens, locations} of (await answer.json()).servers) {
    const listen = listens.find((l) => l.webtransport);
    const place = locations.find((l) => l.webtransport);
    if (listen && place) {
      // A browser tries ::1 for localhost first, where the broker may not be.
      const host = isLoopback(location.hostname)
        ? /^(127\.0\.0\.1|\[::1\])(?=:)/.exec(listen.address)?.[0] : undefined;
      return `https://${host ?? location.hostname}:${portOf(listen.address)}${place.path}`;
    }
  }
  return undefined;
}
