import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import type { TurnEvent } from '../../src/queue/types.ts'
import { type Fleet, openFleet } from './fleet.ts'

let fleet: Fleet
afterEach(() => fleet.close())

const BREAKERS = { html: { over: 0, open: '3s', max: '3s' } }
const ROUTING = { retries: 0 }

/** The events of a turn until one of that type. */
async function until(events: AsyncIterable<TurnEvent>, type: TurnEvent['type']): Promise<TurnEvent[]> {
  const seen: TurnEvent[] = []
  for await (const event of events) {
    seen.push(event)
    if (event.type === type) return seen
  }
  return seen
}

test('turns whose routes are all open wait for the probe instead of asking the upstream, and complete when it answers', async () => {
  fleet = await openFleet({ breakers: BREAKERS, routing: ROUTING })
  fleet.sim.control({ model: '*', fault: 'html' })
  await fleet.worker()
  const turns = []
  for (let i = 0; i < 10; i++) turns.push(await fleet.client.enqueue('talker', { input: `say "${i}"` }))
  const waited = await until(turns[9]!.events(), 'turn.waiting')
  const waiting = waited.at(-1)
  expect(waiting).toMatchObject({ type: 'turn.waiting' })
  if (waiting?.type === 'turn.waiting') {
    expect(['breaker_open', 'html_payload']).toContain(waiting.reason)
    expect(waiting.until).toBeGreaterThan(Date.now() - 1000)
    expect(waiting.until).toBeLessThan(Date.now() + 4000)
  }
  expect((await turns[9]!.read()).state).toBe('queued')
  await sleep(1500)
  // What was under way when the first answer came, and the probes of a slow start; no turn asks while it is open.
  const PROBES = 2
  expect(fleet.sim.log().length).toBeLessThanOrEqual(turns.length + PROBES)
  const before = fleet.sim.log().length
  await sleep(500)
  expect(fleet.sim.log().length).toBeLessThanOrEqual(before + 1)
  fleet.sim.clear()
  const results = await Promise.all(turns.map((turn) => turn.result({ timeoutMs: 15_000 })))
  expect(results.map(({ status }) => status)).toEqual(turns.map(() => 'completed'))
}, 40_000)

test('a reset of the breaker wakes a waiting turn within a second', async () => {
  fleet = await openFleet({ breakers: { html: { over: 0, open: '1m', max: '1m' } }, routing: ROUTING })
  fleet.sim.control({ model: '*', fault: 'html' })
  await fleet.worker()
  const turn = await fleet.client.enqueue('talker', { input: 'say "At last."' })
  await until(turn.events(), 'turn.waiting')
  fleet.sim.clear()
  const reset = fleet.start('breaker', 'reset', 'sim/good', '--reason', 'the vendor says it is mended')
  const [status] = await once(reset.child, 'close')
  expect(status, reset.output()).toBe(0)
  const resetAt = Date.now()
  const events = await until(turn.events(), 'turn.completed')
  const again = events.filter(({ type }) => type === 'turn.started').at(-1)
  expect(again?.at ?? Number.POSITIVE_INFINITY).toBeLessThan(resetAt + 1000)
}, 40_000)

test('a turn waits no longer than its deadline', async () => {
  fleet = await openFleet({ breakers: { html: { over: 0, open: '1m', max: '1m' } }, routing: ROUTING })
  fleet.sim.control({ model: '*', fault: 'html' })
  await fleet.worker()
  const turn = await fleet.client.enqueue('talker', { input: 'say "Too late."', deadlineMs: 3000 })
  const result = await turn.result({ timeoutMs: 10_000 })
  expect(result).toMatchObject({ status: 'failed', error: { code: 'turn/deadline' } })
}, 40_000)
