import { expect, test } from 'vitest'
import { checkRedis } from '../../src/redis/checks.ts'
import type { RedisConnection } from '../../src/redis/connection.ts'

/** A server that says this of itself. */
function serverThatSays(facts: Record<string, string>): RedisConnection {
  const all = { redis_version: '7.0.15', maxmemory_policy: 'noeviction', aof_enabled: '1', ...facts }
  const info = Object.entries(all).map(([name, value]) => `${name}:${value}\r\n`)
  return { info: async () => info.join('') } as unknown as RedisConnection
}

test('a server that keeps what it is given is taken', async () => {
  await expect(checkRedis(serverThatSays({}), { durability: 'aof' })).resolves.toBeUndefined()
})

test.each([
  ['too old', { redis_version: '6.0.9' }, '6.2 or later'],
  ['evicting', { maxmemory_policy: 'allkeys-lru' }, 'CONFIG SET maxmemory-policy noeviction'],
  ['without an append-only file', { aof_enabled: '0' }, 'CONFIG SET appendonly yes'],
])('a server that is %s is refused with the line that mends it', async (_what, facts, line) => {
  await expect(checkRedis(serverThatSays(facts), { durability: 'aof' })).rejects.toMatchObject({
    code: 'config/redis_unsupported',
    message: expect.stringContaining(line),
  })
})

test('who asks for no durability may have none', async () => {
  await expect(
    checkRedis(serverThatSays({ aof_enabled: '0' }), { durability: 'none' }),
  ).resolves.toBeUndefined()
})
