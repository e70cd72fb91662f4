import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { samplesToSnapshot } from '../../src/providers/snapshot/snapshot.ts'
import { pageToSamples } from '../../src/telemetry/metrics/samples.ts'
import { runCli } from './run-cli.ts'

const PAGE = `# TYPE provider_attempts_total counter
provider_attempts_total{route="or/glm",provider="or",model="glm",outcome="ok"} 8
provider_attempts_total{route="or/glm",provider="or",model="glm",outcome="html"} 1
provider_attempts_total{route="or/glm",provider="or",model="glm",outcome="stall"} 1
provider_attempts_total{route="or/glm",provider="or",model="glm",outcome="cancelled"} 3
provider_html_payload_total{route="or/glm",provider="or",phase="before_content"} 1
provider_stall_count_total{route="or/glm",provider="or",phase="after_content"} 1
provider_cost_usd_total{provider="or",model="glm"} 0.25
provider_attempt_duration_seconds_bucket{route="or/glm",model="glm",outcome="ok",le="1"} 5
provider_attempt_duration_seconds_bucket{route="or/glm",model="glm",outcome="ok",le="2.5"} 10
provider_attempt_duration_seconds_bucket{route="or/glm",model="glm",outcome="ok",le="+Inf"} 10
route_health_state{route="or/glm",state="closed"} 0
route_health_state{route="or/glm",state="open"} 1
route_unhealthy_since_timestamp_seconds{route="or/glm"} 1000
route_health_score{route="or/glm"} 0.4
credential_health_state{provider="or",credential="main",state="closed"} 1
provider_quota_pressure{provider="or",credential="main"} 0.1
`

let server: Server
let url: string
const posted: { readonly type: string | undefined; readonly body: string }[] = []

beforeAll(async () => {
  server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    if (request.method === 'POST') posted.push({ type: request.headers['content-type'], body })
    response.writeHead(request.url?.startsWith('/refuses') ? 403 : 200).end(PAGE)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}` // it listens on TCP
})
afterAll(() => void server.close())

const run = (...args: string[]) => runCli(['metrics', 'export', '--from', `${url}/metrics`, ...args])

test('labels are read with their escapes, and what is no sample is passed over', () => {
  expect(pageToSamples('# HELP a b\n\na{b="x \\"y\\" \\\\ z",c=""} +Inf\nd 1e3\n')).toEqual([
    { name: 'a', labels: { b: 'x "y" \\ z', c: '' }, value: Number.POSITIVE_INFINITY },
    { name: 'd', labels: {}, value: 1000 },
  ])
})

test('of several processes counts are added, the worst state counts, scores are averaged', () => {
  const other = PAGE.replace('state="closed"} 0', 'state="closed"} 1')
    .replace('state="open"} 1', 'state="open"} 0')
    .replace('score{route="or/glm"} 0.4', 'score{route="or/glm"} 1')
  const snapshot = samplesToSnapshot([PAGE, other].map(pageToSamples), new Date(0))
  expect(snapshot.providers.or?.routes['or/glm']).toMatchObject({
    state: 'open',
    attempts: 26,
    costUsd: 0.5,
    healthScore: 0.7,
  })
  expect(snapshot.processes).toBe(2)
})

test('--json gives the providers in the shape of the HTTP face; what a page cannot tell is null', async () => {
  const { status, json } = await run('--json')
  expect(status).toBe(0)
  expect(json()).toMatchObject({
    window: 'since_start',
    providers: {
      or: {
        credentials: { main: { state: 'closed', cooldownUntil: null, quotaPressure: 0.1 } },
        routes: {
          'or/glm': {
            state: 'open',
            since: '1970-01-01T00:16:40.000Z',
            attempts: 13,
            successes: 8,
            successRatio: 0.8,
            errors: { server: 1, network: 1 },
            html: 1,
            stallCount: 1,
            htmlPayloadRate: null,
            latencyMs: { p50: 1000, p95: 2350 },
            firstContentMs: { p50: null, p95: null },
            costUsd: 0.25,
            healthScore: 0.4,
          },
        },
      },
    },
  })
})

test('--jsonl gives a line a route', async () => {
  const { out } = await run('--jsonl')
  const lines = out.trim().split('\n')
  expect(lines).toHaveLength(1)
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ provider: 'or', route: 'or/glm', attempts: 13 })
})

test('--http posts the same, and a receiver that refuses it fails the command', async () => {
  const { status } = await run('--http', `${url}/take`)
  expect(status).toBe(0)
  expect(posted.at(-1)?.type).toBe('application/json')
  expect(JSON.parse(posted.at(-1)?.body ?? '')).toMatchObject({ providers: { or: {} } })
  const refused = await run('--http', `${url}/refuses?key=s3cret`)
  expect(refused.status).toBe(1)
  expect(refused.err).toContain('/refuses answered with status 403')
  expect(refused.err).not.toContain('s3cret')
})

test('without an option people get a line a route', async () => {
  const { out } = await run()
  expect(out.trim()).toBe('or/glm  open  13 attempts, 80.0 % good, 1 HTML, 1 stalls, p95 2350 ms')
})

test('where nobody shows metrics the command says what to do', async () => {
  const { status, err } = await runCli(['metrics', 'export', '--from', 'http://127.0.0.1:9/metrics'])
  expect(status).toBe(1)
  expect(err).toContain('start a worker, or say with --from')
})
