// An authorization server for tests (npm: oidc-provider) on 127.0.0.1. PORT, TOKEN_TTL (seconds) and CLIENT_JWK (the public key of
// svc-key, JSON) come from the environment. POST /__rotate makes new signing keys and goes on publishing the last ones;
// GET /__stats tells how often each path was asked for.
import http from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import { Provider, errors } from 'oidc-provider';

const ttl = Number(process.env.TOKEN_TTL ?? 60);
const issuer = `http://127.0.0.1:${process.env.PORT}`;
const algorithms = ['RS256', 'PS256', 'ES256', 'Ed25519'];
// The resource, a URL, says how its tokens are signed.
const resources = new Map(algorithms.map((alg) => [`https://${alg.toLowerCase()}.test`, alg]));
resources.set('https://opaque.test', null);

const secret = (name) => `${name}-secret-0123456789-0123456789`;
const machine = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] };
const clients = [
  { client_id: 'svc-basic', client_secret: secret('basic'), token_endpoint_auth_method: 'client_secret_basic', ...machine },
  { client_id: 'svc-post', client_secret: secret('post'), token_endpoint_auth_method: 'client_secret_post', ...machine },
  {
    client_id: 'svc-key',
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    jwks: { keys: [JSON.parse(process.env.CLIENT_JWK)] },
    ...machine,
  },
];

let generation = 0;
let keys = [];
let handler;
const stats = {};

async function signingKey(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(privateKey)), alg, kid: `${alg}-${process.pid}-${generation}`, use: 'sig' };
}

function resourceServer(_ctx, resource) {
  if (!resources.has(resource)) throw new errors.InvalidTarget();
  const alg = resources.get(resource);
  const shape = alg ? { accessTokenFormat: 'jwt', jwt: { sign: { alg } } } : { accessTokenFormat: 'opaque' };
  return { scope: 'orders:read orders:write', audience: resource, accessTokenTTL: ttl, ...shape };
}

async function rotate() {
  generation += 1;
  const last = keys.slice(0, algorithms.length);
  keys = [...(await Promise.all(algorithms.map(signingKey))), ...last];
  const provider = new Provider(issuer, {
    jwks: { keys },
    clients,
    scopes: ['orders:read', 'orders:write'],
    ttl: { ClientCredentials: ttl },
    enabledJWA: { clientAuthSigningAlgValues: ['ES256'] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true, defaultResource: () => undefined, useGrantedResource: () => true, getResourceServerInfo: resourceServer,
      },
    },
  });
  handler = provider.callback();
}

await rotate();
http
  .createServer(async (request, response) => {
    const { pathname } = new URL(request.url, issuer);
    if (pathname === '/__rotate') await rotate();
    if (pathname.startsWith('/__')) return response.writeHead(200).end(JSON.stringify({ generation, stats }));
    stats[pathname] = (stats[pathname] ?? 0) + 1;
    return handler(request, response);
  })
  .listen(Number(process.env.PORT), '127.0.0.1');
