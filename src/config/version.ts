import { readFileSync } from 'node:fs'

/** The version of this package, from its manifest: it stands two folders up, in the repository as in the package. */
export function packageVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
