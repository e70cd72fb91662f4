import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Journal } from '../../src/queue/journal.ts'
import type { Claim } from '../../src/queue/journal-types.ts'
import type { TurnEventBody } from '../../src/queue/types.ts'
import { createRelay } from '../../src/runtime/turn/relay.ts'

beforeEach(() => void vi.useFakeTimers({ now: 1_000_007 }))
afterEach(() => void vi.useRealTimers())

const delta = (text: string): TurnEventBody => ({ type: 'text.delta', stepId: 'm1', delta: text })

/** A relay with all that it writes, each with the time since its start. */
function relaying() {
  const startedAt = Date.now()
  const written: (readonly [atMs: number, text: string])[] = []
  const journal: Pick<Journal, 'relay'> = {
    relay: () => async (events) => {
      const texts = events.map((event) => ('delta' in event ? event.delta : event.type))
      written.push([Date.now() - startedAt, texts.join('|')])
      return 'ok'
    },
  }
  return { written, relay: createRelay(journal as Journal, {} as Claim) } // it calls nothing else, and looks at no claim
}

test('the first delta of a step leaves at once, those after it together at the next tick', async () => {
  const { written, relay } = relaying()
  relay.push(delta('a'))
  await vi.advanceTimersByTimeAsync(1)
  expect(written).toEqual([[0, 'a']])
  for (const text of ['b', 'c', 'd']) relay.push(delta(text))
  await vi.advanceTimersByTimeAsync(30)
  expect(written.slice(1)).toEqual([[13, 'bcd']]) // at a multiple of 20 ms of the clock
})

test('a step that is over before its first write leaves everything to the commit', async () => {
  const { written, relay } = relaying()
  relay.push(delta('whole answer'))
  expect(await relay.end()).toEqual({ waiting: [delta('whole answer')], broken: false })
  await vi.advanceTimersByTimeAsync(100)
  expect(written).toEqual([])
})

test('what is no delta waits for the tick, or leaves with the first delta if that comes sooner', async () => {
  const started: TurnEventBody = { type: 'step.started', stepId: 'm1', kind: 'model', name: 'coder' }
  const slow = relaying()
  slow.relay.push(started)
  await vi.advanceTimersByTimeAsync(12)
  expect(slow.written).toEqual([])
  await vi.advanceTimersByTimeAsync(1)
  expect(slow.written).toEqual([[13, 'step.started']])
  const quick = relaying()
  quick.relay.push(started)
  quick.relay.push(delta('a'))
  await vi.advanceTimersByTimeAsync(1)
  expect(quick.written).toEqual([[0, 'step.started|a']])
})

test('of a step that is given up, what still waits is written', async () => {
  const { written, relay } = relaying()
  relay.push({ type: 'route.changed', from: 'a/m', to: 'b/m', reason: 'stall' })
  await relay.leave()
  expect(written).toEqual([[0, 'route.changed']])
})
