import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { stringify } from 'yaml'
import type { TurnEvent } from '../../src/queue/types.ts'
import { isOnPath } from '../programs.ts'
import { freePort } from '../redis-servers.ts'
import { type Fleet, openFleet } from './fleet.ts'

const TOKEN = 'token-of-the-alerts'

let fleet: Fleet
afterEach(() => fleet.close())

const MOVED = 'route_mitigations_total{alias="coder",result="moved"} 1'

type Opened = { readonly gatewayUrl: string; readonly pages: () => Promise<readonly string[]> }

/** A worker and a gateway. Any process of the fleet may be the one that makes a move, and counts it. */
async function openBoth(): Promise<Opened> {
  const { metricsUrl } = await fleet.worker()
  const gateway = fleet.start('serve')
  const [, gatewayUrl = '', gatewayMetrics = ''] = await gateway.match(/serving at (\S+); metrics at (\S+)/)
  const page = async (url: string): Promise<string> => (await fetch(url)).text()
  return { gatewayUrl, pages: () => Promise.all([page(metricsUrl), page(gatewayMetrics)]) }
}

const CONFIG = {
  server: { port: 0, alertToken: TOKEN },
  models: {
    coder: { routes: ['sim/good'], mitigation: { fallback: 'safe', hold: '1h' } },
    safe: { routes: ['sim/safe'] },
  },
}

test('an alert at the gateway moves the turns of a worker, and the turn says so', async () => {
  fleet = await openFleet(CONFIG)
  const { gatewayUrl: url, pages } = await openBoth()
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
  const active = 'route_mitigation_active{alias="coder",from_route="sim/good",to_route="sim/safe"} 1'
  await expect.poll(async () => (await pages()).every((page) => page.includes(active))).toBe(true)
  expect((await pages()).filter((page) => page.includes(MOVED))).toHaveLength(1)

  const { events, routes } = await run()
  expect(routes).toEqual(['sim/safe'])
  expect(events.find(({ type }) => type === 'route.changed')).toMatchObject({
    from: 'sim/good',
    to: 'sim/safe',
    reason: 'requested',
  })
}, 40_000)

test('a model that one segment may not have moves the turns of that segment alone', async () => {
  fleet = await openFleet(CONFIG)
  const { metricsUrl } = await fleet.worker()
  const run = async (segment: string) => {
    const turn = await fleet.client.enqueue('talker', { input: 'say "hello"', segment })
    return turn.result({ timeoutMs: 20_000 })
  }
  fleet.sim.control({ model: 'good', fault: 'status:404', times: 3 })
  for (let i = 0; i < 3; i++) {
    expect((await run('a')).error).toMatchObject({ code: 'not_found/model_not_found' })
  }
  // Good answers meanwhile would speak for the segment, so none is asked for until it has moved.
  await expect.poll(async () => (await fetch(metricsUrl)).text()).toContain(MOVED)
  expect((await run('a')).routes).toEqual(['sim/safe'])
  expect((await run('b')).routes).toEqual(['sim/good'])
}, 60_000)

const hasAlertmanager = isOnPath('prometheus-alertmanager') && isOnPath('amtool')

test.skipIf(!hasAlertmanager)(
  'Alertmanager itself is heard, as docs/mitigation.md has it (needs prometheus-alertmanager)',
  async () => {
    fleet = await openFleet(CONFIG)
    const { gatewayUrl: url, pages } = await openBoth()
    const port = await freePort()
    const configFile = join(fleet.folder, 'alertmanager.yml')
    const tokenFile = join(fleet.folder, 'token')
    writeFileSync(tokenFile, TOKEN)
    const webhook = {
      url: `${url}/v1/mitigations`,
      send_resolved: false,
      http_config: { authorization: { credentials_file: tokenFile } },
    }
    writeFileSync(
      configFile,
      stringify({
        receivers: [{ name: 'mitigation', webhook_configs: [webhook] }],
        route: { receiver: 'mitigation', group_wait: '100ms', group_by: ['alertname'] },
      }),
    )
    const args = [
      `--config.file=${configFile}`,
      `--storage.path=${join(fleet.folder, 'alertmanager')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ]
    const alertmanager = spawn('prometheus-alertmanager', args, { stdio: 'ignore' })
    try {
      const at = `http://127.0.0.1:${port}`
      const isReady = () =>
        fetch(`${at}/-/ready`).then(
          ({ ok }) => ok,
          () => false,
        )
      await expect.poll(isReady, { timeout: 10_000 }).toBe(true)
      const labels = ['alertname=ModelErrorRatioCritical', 'provider=sim', 'model=good', 'severity=critical']
      execFileSync('amtool', ['alert', 'add', `--alertmanager.url=${at}`, ...labels])
      await expect
        .poll(async () => (await pages()).filter((page) => page.includes(MOVED)).length, { timeout: 15_000 })
        .toBe(1)
    } finally {
      if (alertmanager.kill()) await once(alertmanager, 'exit')
    }
  },
  60_000,
)
