import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { openProviderRuntime } from '../../src/providers/runtime.ts'
import { createSim, type Sim } from '../../src/providers/sim/sim.ts'
import { closeRedis, connectRedis } from '../../src/redis/connection.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { runCli } from './run-cli.ts'

describe('turnkeeper records', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tk-cli-records-'))
  let server: RedisServer
  let sim: Sim
  let id: string
  const run = (...args: string[]) =>
    runCli(['records', ...args], { cwd: folder, env: { REDIS_URL: server.url } })

  beforeAll(async () => {
    server = await startAnyRedis()
    sim = await createSim()
    const command = await connectRedis(server.url)
    const subscriber = await connectRedis(server.url, { role: 'subscriber' })
    const config = await loadConfig({
      providers: { sim: { protocol: 'openai-chat', baseUrl: `${sim.url}/v1` } },
      models: { coder: { routes: ['sim/m+html502'] } },
      routing: { retries: 0 },
      recorder: { dir: join(folder, 'records') },
    })
    const runtime = await openProviderRuntime(config, { redis: { command, subscriber } })
    const error: unknown = await runtime
      .complete({ model: 'coder', messages: [{ role: 'user', content: 'hi' }] })
      .catch((caught: unknown) => caught)
    id = (error as { attempts: { recordId: string }[] }).attempts[0]?.recordId ?? ''
    await runtime.close()
    await closeRedis(command)
    await closeRedis(subscriber)
  })
  afterAll(async () => {
    await sim.close()
    await server.close()
    rmSync(folder, { recursive: true, force: true })
  })

  test('list says which attempts failed, and how', async () => {
    const { status, out } = await run('list', '--limit', '5')
    expect(status).toBe(0)
    expect(out).toMatch(new RegExp(`^${id} .*sim/m\\+html502 +server/html_payload +502`))
    const { err, json } = await run('list', '--route', 'sim/other', '--json')
    expect(err).toContain('no records')
    expect(json()).toEqual({ records: [] })
  })

  test('show has the story for people, and with --json the raw bytes', async () => {
    const { out } = await run('show', id)
    expect(out).toContain('response headers')
    expect(out).toContain('<html')
    const { json } = await run('show', id, '--json')
    expect(Buffer.from(String(json().rawHead), 'base64').toString()).toContain('<html')
    expect(json()).toMatchObject({ id, raw: { file: expect.stringContaining(folder) } })
  })

  test('an id that leads nowhere is said so', async () => {
    const { status, err } = await run('show', 'r-none')
    expect(status).not.toBe(0)
    expect(err).toContain('there is no record r-none')
  })
})
