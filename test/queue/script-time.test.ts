import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { closeRedis, connectRedis, type RedisConnection } from '../../src/redis/connection.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { serverKinds, startRedis } from '../redis-servers.ts'

const COMMON = readFileSync(new URL('../../src/queue/lua/common.lua', import.meta.url), 'utf8')
/** Redis with a clock that shows what the script is given. */
const SCRIPT = `local redis = { call = function() return ARGV end }
${COMMON}
local now, text = now_ms()
return { text, text_of(now) }`

describe.each(serverKinds)('the time of scripts on %s', (kind) => {
  let server: RedisServer
  let redis: RedisConnection

  beforeAll(async () => {
    server = await startRedis(kind)
    redis = await connectRedis(server.url)
  })
  afterAll(async () => {
    await closeRedis(redis)
    await server.close()
  })

  test.each([
    ['0', '000'],
    ['999', '000'],
    ['1000', '001'],
    ['12345', '012'],
    ['999999', '999'],
  ])('is in whole milliseconds, as text and as a number: %s µs', async (micros, millis) => {
    const told = await redis.eval(SCRIPT, 0, '1795953191', micros)
    expect(told).toEqual([`1795953191${millis}`, `1795953191${millis}`])
  })
})
