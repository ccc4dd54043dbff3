// Rewrites package-lock.json with a line for each package, and of it only what an install needs:
// version, hash, and what it depends on. No address of any registry or project is left in it.
import { readFileSync, writeFileSync } from 'node:fs';

const KEPT = [
  'name', 'version', 'integrity', 'dev', 'optional', 'peer', 'devOptional', 'os', 'cpu', 'libc',
  'dependencies', 'optionalDependencies', 'peerDependencies', 'peerDependenciesMeta',
];

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const lines = Object.entries(lock.packages).map(([path, entry]) => {
  const kept = Object.entries(entry).filter(([name]) => KEPT.includes(name));
  return `${JSON.stringify(path)}: ${JSON.stringify(Object.fromEntries(kept))}`;
});
const head = `{"name": ${JSON.stringify(lock.name)}, "lockfileVersion": 3, "requires": true,`;
const text = `${head} "packages": {\n${lines.join(',\n')}\n}}\n`;
if (text.includes('://')) throw new Error('an address is left in package-lock.json');
writeFileSync('package-lock.json', text);
