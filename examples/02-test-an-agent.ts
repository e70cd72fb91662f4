/**
 * Tests an agent without any key or service: the model says what the script says, and the worker is lost at the worst
 * moment. In a project of yours this stands in a test file; here it is a program.
 *
 *   npx node examples/02-test-an-agent.ts
 */

import assert from 'node:assert/strict'
import { defineAgent, defineTool } from 'turnkeeper'
import { createTestKit } from 'turnkeeper/testing'
import { z } from 'zod'

const refunds: number[] = []
const refund = defineTool({
  name: 'refund',
  description: 'Pays an amount back.',
  inputSchema: z.object({ amount: z.number() }),
  needsApproval: ({ amount }) => amount > 100,
  execute: ({ amount }) => {
    refunds.push(amount)
    return `refunded ${amount}`
  },
})

await using kit = await createTestKit({
  agents: [defineAgent({ name: 'clerk', model: 'coder', tools: [refund] })],
  script: [
    { calls: [{ id: 'small', name: 'refund', input: { amount: 40 } }] },
    { calls: [{ id: 'large', name: 'refund', input: { amount: 400 } }] },
    { text: 'Both amounts are on their way.' },
  ],
})

// The refund is paid, and its worker dies before anybody has heard of it.
kit.loseWorker({ step: 'm1.1', when: 'before_commit' })

const turn = await kit.client.enqueue('clerk', { input: 'Refund my order and the delivery.' })
let lastEventId = ''
for await (const event of turn) lastEventId = event.id // ends where a person is needed
assert.equal((await turn.read()).state, 'needs_review')
assert.deepEqual(refunds, [40]) // not paid twice
await kit.client.resolve(turn.id, 'small', { done: true, result: 'refunded 40', by: 'test' })

for await (const event of turn.events({ lastEventId })) {
  if (event.type !== 'approval.requested') continue
  assert.deepEqual(event.input, { amount: 400 })
  await kit.client.approve(turn.id, event.callId, { by: 'test' })
}

const { status, text, steps, usage } = await turn.result()
assert.equal(text, 'Both amounts are on their way.')
assert.deepEqual(refunds, [40, 400])
assert.equal(kit.requests.length, 3) // no answer was asked for twice
console.log(`${status} after ${steps.length} steps and ${usage.totalTokens} tokens`)
