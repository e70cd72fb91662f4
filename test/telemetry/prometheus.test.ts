import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type MetricsServer, serveMetrics } from '../../src/telemetry/metrics/serve.ts'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function takenPort(): Promise<number> {
  const server: Server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => new Promise((resolve) => server.close(resolve)))
  return (server.address() as AddressInfo).port // it listens on TCP
}

async function serve(port: number, explicit: boolean): Promise<MetricsServer> {
  const server = await serveMetrics(
    { host: '127.0.0.1', port, explicit },
    { page: () => 'up 1\n', health: () => ({ status: 503, body: { status: 'deaf' } }) },
  )
  closers.push(server.close)
  return server
}

test('the page and the health are served under one port, anything else is not found', async () => {
  const { url } = await serve(0, false)
  const page = await fetch(url)
  expect(page.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(await page.text()).toBe('up 1\n')
  const health = await fetch(new URL('/health', url))
  expect([health.status, await health.json()]).toEqual([503, { status: 'deaf' }])
  expect((await fetch(new URL('/', url))).status).toBe(404)
})

test('a port that is taken and was not asked for gives way to the next free one', async () => {
  const taken = await takenPort()
  const { port } = await serve(taken, false)
  expect(port).toBeGreaterThan(taken)
  expect(port).toBeLessThanOrEqual(taken + 50)
})

test('a port that is taken and was asked for is an error that says what to do', async () => {
  const taken = await takenPort()
  await expect(serve(taken, true)).rejects.toMatchObject({
    code: 'config/port_in_use',
    message: `metrics: port ${taken} on 127.0.0.1 is taken; stop the other program or set another metrics.port`,
  })
})

test('an address that is not of this machine is an error of the configuration', async () => {
  await expect(
    serveMetrics({ host: '192.0.2.1', port: 0, explicit: true }, { page: () => '' }),
  ).rejects.toMatchObject({ code: 'config/invalid_config' })
})

test('a page that fails is a 500, so that the scrape counts as failed', async () => {
  const server = await serveMetrics(
    { host: '127.0.0.1', port: 0, explicit: false },
    {
      page() {
        throw new Error('no')
      },
    },
  )
  closers.push(server.close)
  expect((await fetch(server.url)).status).toBe(500)
})
