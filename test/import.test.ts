import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

/** Packages that the library loads when it is imported, and nothing else is done. */
function loadedWith(code: string): readonly string[] {
  const script = `
    const { registerHooks } = await import('node:module')
    const urls = []
    registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) })
    ${code}
    const packages = urls.flatMap((url) => /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1] ?? [])
    console.log(JSON.stringify([...new Set(packages)].sort()))
  `
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  })
  expect(stderr).not.toContain('Error')
  return JSON.parse(stdout) as readonly string[]
}

const IMPORT = `const { defineTool } = await import('./src/index.ts')`

test('importing the library loads no queue, no Redis client, no telemetry SDK and no schema library', () => {
  expect(loadedWith(IMPORT)).toEqual(['eventsource-parser'])
})

test('a tool with a JSON Schema loads the schema library, and is checked by it', () => {
  const tool = `{ name: 'add', description: '', execute: () => 1, inputSchema: { type: 'object', properties: { a: { type: 'number' } }, required: ['a'] } }`
  const check = `if (defineTool(${tool}).parse({}).ok) throw new Error('not checked')`
  expect(loadedWith(`${IMPORT}; ${check}`)).toEqual(['eventsource-parser', 'zod'])
})
