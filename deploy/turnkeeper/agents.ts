/** Agents of the stack: something to run and to look at; put your own here. */

import { setTimeout as sleep } from 'node:timers/promises'
import { defineAgent, defineTool } from 'turnkeeper'
import { z } from 'zod'

const lookUp = defineTool({
  name: 'look_up',
  description: 'Looks a word up, as slowly as it is told to.',
  inputSchema: z.object({ word: z.string(), ms: z.number().max(30_000).default(20) }),
  effect: 'pure',
  execute: async ({ word, ms }, { signal }) => {
    await sleep(ms, undefined, { signal })
    return { word, letters: word.length }
  },
})

const divide = defineTool({
  name: 'divide',
  description: 'Divides one number by another, which must not be 0.',
  inputSchema: z.object({ dividend: z.number(), divisor: z.number() }),
  effect: 'pure',
  execute: ({ dividend, divisor }) => {
    if (divisor === 0) throw new Error('cannot divide by 0')
    return { quotient: dividend / divisor }
  },
})

export default [
  defineAgent({ name: 'assistant', model: 'coder', tools: [lookUp, divide], maxSteps: 8 }),
  // Without tools its answers are streamed from the first turn on.
  defineAgent({ name: 'reviewer', model: 'reviewer' }),
]
