// A Bluesky server (PDS) and the directory of identities it needs (PLC), both on 127.0.0.1 alone.
//
//   node serve.js [--limits]
//
// Prints one line of JSON once an account can log in, and serves until SIGTERM, SIGINT, SIGHUP, or
// the end of standard input where that is a pipe. All it stores lies in one temporary folder, which
// is removed at the end. The application view and the moderation service are closed ports: what
// needs them fails as it does on a real server that can't reach them, and nobody else is asked.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fstatSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { PDS, envToCfg, envToSecrets } from '@atproto/pds';
import plc from '@did-plc/server';

const HANDLE = 'digests.test';
const CLOSED = 'http://localhost:1'; // tcpmux, which nobody runs

const secret = () => randomBytes(32).toString('hex');

async function onLoopback(make) {
  // Both services call listen(port), which would serve every interface of the machine, and must
  // know their port before: so they get a socket that listens already, and nobody can take it.
  const socket = createServer().listen(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  const service = await make(port);
  const listen = service.app.listen.bind(service.app);
  service.app.listen = () => listen(socket);
  await service.start();
  return port;
}

function serveDirectory() {
  return onLoopback((port) => plc.PlcServer.create({ db: plc.Database.mock(), port }));
}

function servePds(folder, plcPort, limits, secrets) {
  return onLoopback((port) => {
    const env = {
      ...secrets,
      port,
      devMode: true,
      dataDirectory: folder,
      blobstoreDiskLocation: join(folder, 'blobs'),
      blobstoreDiskTmpLocation: join(folder, 'blobs-tmp'),
      didPlcUrl: `http://localhost:${plcPort}`, // an address instead of the name is refused
      bskyAppViewUrl: CLOSED,
      bskyAppViewDid: 'did:example:appview',
      modServiceUrl: CLOSED,
      modServiceDid: 'did:example:moderation',
      serviceHandleDomains: ['.test'],
      enableDidDocWithSession: true, // as bsky.social does
      inviteRequired: false,
      rateLimitsEnabled: limits,
    };
    return PDS.create(envToCfg(env), envToSecrets(env));
  });
}

async function ask(url, method, body, token) {
  const answer = await fetch(`${url}/xrpc/com.atproto.server.${method}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${method}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

async function account(url) {
  const password = secret();
  const made = { handle: HANDLE, email: 'digests@example.test', password };
  const { did, accessJwt } = await ask(url, 'createAccount', made);
  const app = await ask(url, 'createAppPassword', { name: 'bot' }, accessJwt);
  return { did, handle: HANDLE, password, app_password: app.password };
}

function ending() {
  const stdin = fstatSync(0);
  const ends = ['SIGTERM', 'SIGINT', 'SIGHUP'].map((signal) => once(process, signal));
  if (stdin.isFIFO() || stdin.isSocket()) {
    ends.push(once(process.stdin.resume(), 'end')); // whoever started this is gone
  }
  return Promise.race(ends);
}

const ended = ending();
const folder = mkdtempSync(join(tmpdir(), 'pds-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const limits = process.argv.includes('--limits');
const secrets = {
  plcRotationKeyK256PrivateKeyHex: secret(),
  jwtSecret: secret(),
  dpopSecret: secret(),
  adminPassword: secret(),
};
const plcPort = await serveDirectory();
const port = await servePds(folder, plcPort, limits, secrets);
const url = `http://127.0.0.1:${port}`;
const ready = {
  url,
  ...(await account(url)),
  limits,
  jwt_secret: secrets.jwtSecret,
  admin_password: secrets.adminPassword,
};
process.stdout.write(`${JSON.stringify(ready)}\n`);
await ended;
process.exit(0); // at once: nothing it stores is worth a farewell
