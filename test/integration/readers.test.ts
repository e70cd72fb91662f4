import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { seededRandom } from '../../src/providers/sim/random.ts'
import type { TurnHandle } from '../../src/queue/client/handle.ts'
import { type Fleet, openFleet } from './fleet.ts'

const TURNS = 50
const KILLS = 4
/** The answers of a round are on their way by then; each takes more than a second. */
const MID_STREAM_MS = 600
const SEED = 20_261_121

let fleet: Fleet
afterEach(() => fleet.close())

/** Reads a turn to its end and goes away now and then; returns what its reader has on the screen at the end. */
async function readInPieces(turn: TurnHandle, random: () => number) {
  const seen = new Set<string>()
  let text = ''
  let restarts = 0
  let disconnects = 0
  let lastEventId: string | undefined
  for (;;) {
    let left = 1 + Math.floor(random() * 12)
    for await (const event of turn.events(lastEventId === undefined ? {} : { lastEventId })) {
      expect(seen.has(event.id), `${event.id} came twice`).toBe(false)
      seen.add(event.id)
      lastEventId = event.id
      if (event.type === 'text.delta') text += event.delta
      if (event.type === 'step.restarted') {
        text = ''
        restarts++
      }
      // Nothing more comes after it: whoever reads on would wait for ever, and not say for what.
      if (event.type === 'turn.failed') throw new Error(`${turn.id} failed: ${JSON.stringify(event.error)}`)
      if (event.type === 'turn.completed') return { text, final: event.text, restarts, disconnects }
      if (--left === 0) break
    }
    disconnects++
    await sleep(random() * 50)
  }
}

test('50 readers that go away again and again have the final answer each time, whatever dies meanwhile', async () => {
  fleet = await openFleet()
  fleet.sim.control({ model: '*', fault: 'slow:50' })
  const random = seededRandom(SEED)
  const workers = [await fleet.worker()]
  const readings: Promise<{
    words: string
    text: string
    final: string
    restarts: number
    disconnects: number
  }>[] = []
  const begin = async (i: number) => {
    const words = Array.from({ length: 25 }, (_, word) => `word${i}-${word}`).join(' ')
    const turn = await fleet.client.enqueue('talker', { input: `say "${words}"` })
    return { words, ...(await readInPieces(turn, random)) }
  }
  for (let round = 0; round <= KILLS; round++) {
    workers.push(await fleet.worker())
    for (let i = 0; i < TURNS / (KILLS + 1); i++) readings.push(begin(readings.length))
    await sleep(MID_STREAM_MS)
    if (round < KILLS) await workers.shift()?.end('SIGKILL')
  }
  const read = await Promise.all(readings)
  for (const { words, text, final } of read) {
    expect(final).toBe(words)
    expect(text).toBe(words)
  }
  expect(read.filter(({ restarts }) => restarts > 0).length).toBeGreaterThan(0)
  expect(read.reduce((sum, { disconnects }) => sum + disconnects, 0)).toBeGreaterThan(TURNS)
}, 180_000)
