import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const folder = new URL('../../docs/decisions/', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as Record<
  string,
  Record<string, string> | undefined
>

/** Packages of one project are one decision. */
function familyOf(name: string): string {
  if (name.startsWith('@opentelemetry/')) return '@opentelemetry/*'
  if (name.startsWith('node-linux-')) return 'node-linux-*'
  return name === '@types/node' ? 'typescript' : name.replace('@biomejs/', '')
}

test('every dependency is a decision that is written down', () => {
  const decided = readdirSync(folder)
    .map((file) => readFileSync(new URL(file, folder), 'utf8'))
    .join('\n')
  const kinds = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies']
  const names = kinds.flatMap((kind) => Object.keys(manifest[kind] ?? {}))
  expect(names.length).toBeGreaterThan(10)
  for (const name of names) expect(decided, name).toContain(familyOf(name))
})
