import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Picky, startPicky } from '../providers/routing/probes/picky-upstream.ts'
import { type Fleet, openFleet } from './fleet.ts'

let picky: Picky
let fleet: Fleet

beforeAll(async () => {
  picky = await startPicky()
  fleet = await openFleet({
    providers: { sim: { protocol: 'openai-chat', baseUrl: picky.baseUrl } },
    probes: { enabled: true },
  })
})
afterAll(async () => {
  await fleet.close()
  await picky[Symbol.asyncDispose]()
})

/** How the first model call of a turn with tools was asked. */
async function toolTurn() {
  const turn = await fleet.client.enqueue('assistant', { input: 'Go on.' })
  return (await turn.result()).steps.find(({ kind }) => kind === 'model')?.attempts?.[0]
}

test('workers probe a route when they start, once among them, and serve tool turns by what any process finds later', async () => {
  await Promise.all([fleet.worker(), fleet.worker()])
  expect(await toolTurn()).toMatchObject({ streamed: false, policy: ['tool_turn'] })
  // The first look comes within 15 s, and what it finds is read within 5 s.
  await expect
    .poll(toolTurn, { timeout: 40_000, interval: 500 })
    .toMatchObject({ streamed: true, policy: ['tools_shown_safe'] })
  expect(picky.asked().filter((cell) => cell.endsWith('+json'))).toEqual([
    'whole+json',
    'stream+json',
    'whole+tools+json',
    'stream+tools+json',
  ])

  picky.set({ 'stream+tools': 'truncates' })
  const probe = fleet.start('probe', '--refresh')
  const [status] = await once(probe.child, 'close')
  expect(status, probe.output()).toBe(0)
  expect(probe.output()).toContain('(tools_shown_broken)')
  await expect
    .poll(toolTurn, { timeout: 20_000, interval: 500 })
    .toMatchObject({ streamed: false, policy: ['tools_shown_broken'] })
}, 90_000)
