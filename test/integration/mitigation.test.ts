import { afterEach, expect, test } from 'vitest'
import type { TurnEvent } from '../../src/queue/types.ts'
import { type Fleet, openFleet } from './fleet.ts'

const TOKEN = 'token-of-the-alerts'

let fleet: Fleet
afterEach(() => fleet.close())

test('an alert at the gateway moves the turns of a worker, and the turn says so', async () => {
  fleet = await openFleet({
    server: { port: 0, alertToken: TOKEN },
    models: {
      coder: { routes: ['sim/good'], mitigation: { fallback: 'safe', hold: '1h' } },
      safe: { routes: ['sim/safe'] },
    },
  })
  const { metricsUrl } = await fleet.worker()
  const gateway = fleet.start('serve')
  const [, url = ''] = await gateway.match(/serving at (\S+);/)
  const run = async (): Promise<{ events: TurnEvent[]; routes: readonly string[] }> => {
    const turn = await fleet.client.enqueue('talker', { input: 'say "hello"' })
    const events: TurnEvent[] = []
    for await (const event of turn.events()) events.push(event)
    return { events, routes: (await turn.result()).routes }
  }
  expect((await run()).routes).toEqual(['sim/good'])

  const labels = { alertname: 'ModelErrorRatioCritical', provider: 'sim', model: 'good' }
  const answer = await fetch(`${url}/v1/mitigations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify({
      version: '4',
      status: 'firing',
      alerts: [{ status: 'firing', labels, startsAt: '2026-03-01T12:00:00Z', fingerprint: 'a1' }],
    }),
  })
  expect(answer.status).toBe(202)
  const page = async (): Promise<string> => (await fetch(metricsUrl)).text()
  await expect
    .poll(page)
    .toContain('route_mitigation_active{alias="coder",from_route="sim/good",to_route="sim/safe"} 1')
  expect(await page()).toContain('route_mitigations_total{alias="coder",result="moved"} 1')

  const { events, routes } = await run()
  expect(routes).toEqual(['sim/safe'])
  expect(events.find(({ type }) => type === 'route.changed')).toMatchObject({
    from: 'sim/good',
    to: 'sim/safe',
    reason: 'requested',
  })
}, 40_000)
