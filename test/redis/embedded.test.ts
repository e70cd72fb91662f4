import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { closeRedis, connectRedis } from '../../src/redis/connection.ts'
import { openRedis } from '../../src/redis/embedded.ts'
import { hasRedisServer } from '../redis-servers.ts'

const noPath = { PATH: '' }
let folder: string
let dataDir: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tk-embedded-'))
  dataDir = join(folder, '.turnkeeper/redis')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('a second process of the folder joins the server of the first (E1)', async () => {
  await using first = await openRedis({ dataDir, env: noPath })
  await using second = await openRedis({ dataDir, env: noPath })
  expect([first.owned, second.owned]).toEqual([true, false])
  expect(second.url).toBe(first.url)
  expect(second.origin).toBe('fallback')
})

test('two that start at once end with one server (E1)', async () => {
  const servers = await Promise.all([1, 2, 3].map(() => openRedis({ dataDir, env: noPath })))
  expect(new Set(servers.map((server) => server.url)).size).toBe(1)
  expect(servers.filter((server) => server.owned)).toHaveLength(1)
  for (const server of servers) await server.close()
})

test('what a dead owner has announced is not believed (E3)', async () => {
  await using left = await openRedis({ dataDir, env: noPath })
  await left.close()
  writeFileSync(`${dataDir}.json`, JSON.stringify({ url: left.url, origin: 'fallback', pid: 1 }))
  await using fresh = await openRedis({ dataDir, env: noPath })
  expect(fresh.owned).toBe(true)
})

test('the fallback warns that nothing outlives its process, and that it is slow', async () => {
  const warnings: string[] = []
  await using server = await openRedis({ dataDir, env: noPath, warn: (message) => warnings.push(message) })
  expect(server.origin).toBe('fallback')
  expect(warnings).toEqual([
    expect.stringMatching(/slow.*gone when this process ends.*apt install redis-server/),
  ])
})

test('a one-shot command starts no server, and says how to get one', async () => {
  await expect(openRedis({ dataDir, mayStart: false })).rejects.toMatchObject({
    code: 'queue/redis_unavailable',
    message: expect.stringMatching(/REDIS_URL.*apt install redis-server.*docker run/),
  })
  expect(existsSync(`${dataDir}.json`)).toBe(false)
})

test('a Redis that is down is one clear sentence without the password', async () => {
  await expect(openRedis({ url: 'redis://user:hunter2@127.0.0.1:1' })).rejects.toMatchObject({
    code: 'queue/redis_unavailable',
    message: expect.not.stringContaining('hunter2'),
  })
})

test.skipIf(!hasRedisServer)(
  'a Redis without an append-only file is refused with the line that mends it',
  async () => {
    await using server = await openRedis({ dataDir, durability: 'none' })
    expect(server.origin).toBe('spawned')
    await expect(openRedis({ url: server.url })).rejects.toMatchObject({
      code: 'config/redis_unsupported',
      message: expect.stringContaining('redis-cli CONFIG SET appendonly yes'),
    })
    const redis = await connectRedis(server.url)
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
    await closeRedis(redis)
    await expect(openRedis({ url: server.url, durability: 'none' })).rejects.toMatchObject({
      message: expect.stringContaining('redis-cli CONFIG SET maxmemory-policy noeviction'),
    })
  },
)

test.skipIf(!hasRedisServer)('what a spawned server has kept is there after a restart', async () => {
  const write = await openRedis({ dataDir })
  const redis = await connectRedis(write.url)
  await redis.set('kept', 'yes')
  await closeRedis(redis)
  await write.close()
  await using read = await openRedis({ dataDir })
  const again = await connectRedis(read.url)
  expect(await again.get('kept')).toBe('yes')
  await closeRedis(again)
})

test.skipIf(!hasRedisServer)('a spawned server does not outlive an owner that is killed (E2)', async () => {
  const script = `
    import { openRedis } from ${JSON.stringify(new URL('../../src/redis/embedded.ts', import.meta.url).href)}
    const server = await openRedis({ dataDir: ${JSON.stringify(dataDir)}, durability: 'none' })
    console.log(server.url)
    setInterval(() => {}, 1000)`
  const owner = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const url = await new Promise<string>((resolve) =>
    owner.stdout.once('data', (line) => resolve(String(line).trim())),
  )
  await closeRedis(await connectRedis(url))
  owner.kill('SIGKILL')
  await expect
    .poll(() => connectRedis(url, { timeoutMs: 500 }).then(closeRedis, () => 'gone'), { timeout: 5_000 })
    .toBe('gone')
})
