import { afterEach, expect, test } from 'vitest'
import { TurnkeeperError } from '../../src/errors.ts'
import { errorToResponse } from '../../src/gateway/error-response.ts'
import { connectRedis } from '../../src/redis/connection.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { openGateway } from './open-gateway.ts'

let opened = new AsyncDisposableStack()
afterEach(async () => {
  await opened.disposeAsync()
  opened = new AsyncDisposableStack()
})

test('health is 200 while Redis answers and 503 while it does not', async () => {
  const server = opened.use(await startAnyRedis())
  const { gateway } = await openGateway(server.url, 'health')
  opened.use(gateway)
  const healthy = await fetch(`${gateway.url}/health`)
  expect(healthy.status).toBe(200)
  expect(await healthy.json()).toEqual({ status: 'ok', redis: { ok: true, latencyMs: expect.any(Number) } })

  const admin = await connectRedis(server.url)
  await admin.call('CLIENT', 'PAUSE', '2500', 'ALL').catch(() => {})
  const degraded = await fetch(`${gateway.url}/health`)
  expect(degraded.status).toBe(503)
  expect(await degraded.json()).toMatchObject({ status: 'degraded', redis: { ok: false } })
  admin.disconnect()
})

test('metrics are on a page of their own', async () => {
  const server = opened.use(await startAnyRedis())
  const { gateway } = await openGateway(server.url, 'metrics')
  opened.use(gateway)
  const page = await (await fetch(gateway.metricsUrl ?? '')).text()
  expect(page).toMatch(/^runtime_build_info\{.*version=.*\} 1/m)
})

test('a taken port is named, with what to do, and leaves nothing open', async () => {
  const server = opened.use(await startAnyRedis())
  const { gateway } = await openGateway(server.url, 'ports')
  opened.use(gateway)
  const port = Number(new URL(gateway.url).port)
  const refused = await openGateway(server.url, 'ports', { port }).catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'config/port_in_use' })
  expect((refused as Error).message).toMatch(`port ${port} on 127.0.0.1 is taken: `)
})

test('a Redis that is not there is said at once', async () => {
  const refused = openGateway('redis://127.0.0.1:1', 'down')
  await expect(refused).rejects.toMatchObject({ code: 'queue/redis_unavailable' })
})

test.each([
  ['unknown_turn', 404],
  ['unknown_agent', 404],
  ['invalid_input', 400],
  ['idempotency_conflict', 409],
  ['overloaded_queue', 429],
  ['redis_unavailable', 503],
  ['invalid_config', 500],
  ['forbidden', 403],
  ['too_large', 413],
  ['result_timeout', 504],
  ['unknown', 500],
] as const)('%s is answered with %i', (reason, status) => {
  const response = errorToResponse(new TurnkeeperError(reason, 'm'))
  expect(response).toMatchObject({ status, body: { error: { reason, message: 'm' } } })
  expect('retry-after' in response.headers).toBe(status === 503 || status === 429)
})

test('a surprise shows neither its message nor its stack', () => {
  const { status, body } = errorToResponse(new TypeError('secret of the house'))
  expect(status).toBe(500)
  expect(JSON.stringify(body)).not.toMatch(/secret|error-response|at /)
})
