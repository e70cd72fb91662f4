import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { TurnEvent } from '../../src/queue/types.ts'
import { type Fleet, openFleet } from './fleet.ts'

let fleet: Fleet
afterEach(() => fleet.close())

async function until(events: AsyncIterable<TurnEvent>, type: TurnEvent['type']): Promise<TurnEvent> {
  for await (const event of events) if (event.type === type) return event
  throw new Error(`no ${type} came`)
}
const finished = async (...args: string[]): Promise<string> => {
  const command = fleet.start('turns', ...args)
  expect(await command.end('SIGCONT'), command.output()).toBe(0)
  return command.output()
}

test('a cancel from another process reaches a tool that runs in a worker within a second', async () => {
  fleet = await openFleet({ queue: { lock: '30s', stalledCheck: '5s' } })
  await fleet.worker()
  const turn = await fleet.client.enqueue('assistant', {
    input: 'call look_up with {"word": "x", "ms": 60000}',
  })
  await until(turn, 'tool.call')
  const asked = performance.now()
  await turn.cancel('changed my mind', { by: 'test' })
  expect(await turn.result({ timeoutMs: 5_000 })).toMatchObject({
    status: 'cancelled',
    error: { message: 'changed my mind' },
  })
  expect(performance.now() - asked).toBeLessThan(1_000)
}, 30_000)

test('the same from the command line', async () => {
  fleet = await openFleet()
  await fleet.worker()
  const turn = await fleet.client.enqueue('assistant', {
    input: 'call look_up with {"word": "x", "ms": 60000}',
  })
  await until(turn, 'tool.call')
  await finished('cancel', turn.id, '--reason', 'enough', '--by', 'ada')
  expect(await turn.result({ timeoutMs: 5_000 })).toMatchObject({ status: 'cancelled' })
}, 30_000)

test('a turn waits for its approval without a worker, and goes on in another one', async () => {
  fleet = await openFleet()
  const effects = join(fleet.folder, 'effects')
  const first = await fleet.worker()
  const turn = await fleet.client.enqueue('assistant', {
    input: `call note_if_allowed with ${JSON.stringify({ path: effects, line: 'once' })}`,
  })
  const asked = await until(turn, 'approval.requested')
  const callId = 'callId' in asked ? asked.callId : ''
  expect(await first.end('SIGKILL')).toBe(null)
  expect(existsSync(effects)).toBe(false)
  expect(await finished('show', turn.id)).toContain(`turnkeeper turns approve ${turn.id} ${callId}`)
  await finished('approve', turn.id, callId, '--by', 'ada')
  await fleet.worker()
  expect(await turn.result({ timeoutMs: 20_000 })).toMatchObject({ status: 'completed' })
  expect(readFileSync(effects, 'utf8')).toBe('once\n')
  expect(await finished('show', turn.id)).toMatch(/approve by ada/)
}, 60_000)
