import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import { defineTool } from '../../src/runtime/tools/tool.ts'

const tool = (inputSchema: object) =>
  defineTool({ name: 'add', description: 'Adds.', inputSchema: inputSchema as z.ZodType, execute: () => 1 })

test('a schema of another copy of zod is one of zod, with its descriptions', () => {
  const other = createRequire(import.meta.url)('zod') as typeof z // CommonJS: other classes than those above
  const { spec, parse } = tool(other.object({ a: other.number().describe('the first') }))
  expect(spec.inputSchema).toMatchObject({ properties: { a: { type: 'number', description: 'the first' } } })
  expect([parse({ a: 1 }).ok, parse({ a: 'x' }).ok]).toEqual([true, false])
})

test('a schema of a zod that cannot say itself as JSON Schema is an error that says what to do', () => {
  expect(() => tool({ safeParse: () => ({ success: true }) })).toThrow(
    /tool add: .*zod is older than 4\.2; upgrade zod, or give a JSON Schema/,
  )
})
