// An authorization server (npm: oidc-provider) on 127.0.0.1 for the demo. PORT, TOKEN_TTL (seconds), CLIENTS (a JSON list of
// client_id, client_secret, audience, scope) and KEYS (a file of private keys, the newest first) come from the environment.
// POST /__rotate reads the keys anew. Clients name an audience where RFC 8707 has a resource, as many servers let them.
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { exportJWK, importPKCS8 } from 'jose';
import { Provider, errors } from 'oidc-provider';

const ttl = Number(process.env.TOKEN_TTL);
const issuer = `http://127.0.0.1:${process.env.PORT}`;
const known = JSON.parse(process.env.CLIENTS);
const scopes = new Map(known.map(({ audience, scope }) => [`urn:service:${audience}`, scope]));
const clients = known.map(({ client_id, client_secret }) => ({
  client_id,
  client_secret,
  token_endpoint_auth_method: 'client_secret_basic',
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
}));
let handler;

async function signingKey({ alg, kid, pem }) {
  return { ...(await exportJWK(await importPKCS8(pem, alg, { extractable: true }))), alg, kid, use: 'sig' };
}

function resourceServer(_ctx, resource) {
  if (!scopes.has(resource)) throw new errors.InvalidTarget();
  const audience = resource.slice('urn:service:'.length);
  return { scope: scopes.get(resource), audience, accessTokenTTL: ttl, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } };
}

async function load() {
  const keys = JSON.parse(await readFile(process.env.KEYS, 'utf8'));
  const provider = new Provider(issuer, {
    jwks: { keys: await Promise.all(keys.map(signingKey)) },
    clients,
    scopes: [...new Set([...scopes.values()].join(' ').split(' '))],
    ttl: { ClientCredentials: ttl },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: (ctx) => (ctx.oidc.body?.audience ? `urn:service:${ctx.oidc.body.audience}` : undefined),
        useGrantedResource: () => true,
        getResourceServerInfo: resourceServer,
      },
    },
  });
  handler = provider.callback();
}

await load();
http
  .createServer(async (request, response) => {
    if (request.method === 'POST' && request.url === '/__rotate') {
      await load();
      return response.writeHead(204).end();
    }
    return handler(request, response);
  })
  .listen(Number(process.env.PORT), '127.0.0.1');
