import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { TurnEvent } from '../../src/queue/types.ts'
import { type Fleet, openFleet } from './fleet.ts'

let fleet: Fleet
afterEach(() => fleet.close())

const collect = async (events: AsyncIterable<TurnEvent>): Promise<TurnEvent[]> => {
  const seen: TurnEvent[] = []
  for await (const event of events) seen.push(event)
  return seen
}
const textOf = (events: readonly TurnEvent[]): string => {
  let text = ''
  for (const event of events) {
    if (event.type === 'text.delta') text += event.delta
    // What a step said before the model answered with tools is not part of the final answer.
    if (event.type === 'step.restarted' || event.type === 'step.started') text = ''
  }
  return text
}

test('turns of a worker killed in the middle go on elsewhere under a higher epoch, and all complete', async () => {
  fleet = await openFleet()
  const workers = [await fleet.worker(), await fleet.worker()]
  const turns = await Promise.all(
    Array.from({ length: 12 }, (_, i) =>
      fleet.client.enqueue('assistant', {
        sessionId: `s${i % 6}`,
        input: `call look_up with {"word": "first${i}", "ms": 700} then call look_up with {"word": "second${i}", "ms": 700}`,
      }),
    ),
  )
  const reading = turns.map((turn) => collect(turn))
  // Kill the worker that has begun a tool of the first turn.
  let victim = ''
  for await (const event of turns[0]!) {
    if (event.type === 'turn.started') victim = event.worker
    if (event.type === 'tool.call') break
  }
  const killed = workers.find((worker) => victim.includes(`-${worker.pid}-`))
  expect(killed, `${victim} is one of ${workers.map((worker) => worker.pid)}`).toBeDefined()
  await killed?.end('SIGKILL')

  const stories = await Promise.all(reading)
  const results = await Promise.all(turns.map((turn) => turn.result()))
  expect(results.map((result) => result.status)).toEqual(turns.map(() => 'completed'))
  const moved = stories.filter((events) => {
    const starts = events.filter((event) => event.type === 'turn.started')
    return new Set(starts.map((start) => start.worker)).size > 1 && starts.at(-1)!.epoch > starts[0]!.epoch
  })
  expect(moved.length).toBeGreaterThanOrEqual(1)
  for (const [i, events] of stories.entries()) {
    const ids = events.map((event) => event.id)
    expect(new Set(ids).size).toBe(ids.length)
    expect(textOf(events)).toBe(results[i]!.text)
  }
}, 60_000)

test('a turn enqueued while no worker runs is completed when one starts', async () => {
  fleet = await openFleet()
  const turn = await fleet.client.enqueue('talker', { input: 'say "Better late."' })
  expect((await turn.read()).state).toBe('queued')
  await fleet.worker()
  expect(await turn.result({ timeoutMs: 10_000 })).toMatchObject({
    status: 'completed',
    text: 'Better late.',
  })
})

test('two turns of a session enqueued at once run in order, and the second knows the first', async () => {
  fleet = await openFleet()
  await fleet.worker()
  await fleet.worker()
  const [first, second] = await Promise.all([
    fleet.client.enqueue('talker', { input: 'My name is Ada.', sessionId: 'ada' }),
    fleet.client.enqueue('talker', { input: 'What is my name?', sessionId: 'ada' }),
  ])
  await Promise.all([first.result(), second.result()])
  expect((await second.read()).startedAt!).toBeGreaterThanOrEqual((await first.read()).endedAt!)
  expect((await second.result()).text).toContain('Ada')
})

test('a reader that goes away in the middle and comes back misses and repeats nothing', async () => {
  fleet = await openFleet()
  fleet.sim.control({ model: '*', fault: 'slow:10' })
  await fleet.worker()
  const turn = await fleet.client.enqueue('talker', {
    input: 'say "one two three four five six seven eight nine ten"',
  })
  const whole = collect(turn)
  const pieces: TurnEvent[] = []
  let lastEventId: string | undefined
  for (let ended = false; !ended; ) {
    const stop = new AbortController()
    let count = 0
    const options = { signal: stop.signal, ...(lastEventId !== undefined && { lastEventId }) }
    for await (const event of turn.events(options)) {
      pieces.push(event)
      lastEventId = event.id
      ended = event.type === 'turn.completed'
      if (++count === 2) stop.abort()
    }
  }
  expect(pieces).toEqual(await whole)
  expect(textOf(pieces)).toBe('one two three four five six seven eight nine ten')
})

test('a worker that is told to end hands its turn over at the next step, and no step runs twice', async () => {
  fleet = await openFleet()
  const effects = join(fleet.folder, 'effects')
  const first = await fleet.worker()
  const note = (line: string): string => `call note with ${JSON.stringify({ path: effects, line })}`
  const turn = await fleet.client.enqueue('assistant', {
    input: `${note('one')} then call look_up with {"word": "x", "ms": 1000} then ${note('two')}`,
  })
  for await (const event of turn) if (event.type === 'tool.call' && event.name === 'look_up') break
  const leaving = first.end('SIGTERM')
  await fleet.worker()
  expect(await leaving).toBe(0)
  expect(await turn.result({ timeoutMs: 20_000 })).toMatchObject({ status: 'completed' })
  expect(readFileSync(effects, 'utf8')).toBe('one\ntwo\n')
  const starts = (await collect(turn)).filter((event) => event.type === 'turn.started')
  expect(starts).toHaveLength(2)
  expect(await turn.read()).toMatchObject({ epoch: 2 })
}, 30_000)

test('a worker that leaves while idle is gone within seconds, with status 0', async () => {
  fleet = await openFleet()
  const worker = await fleet.worker()
  expect(await worker.end('SIGTERM')).toBe(0)
}, 10_000)
