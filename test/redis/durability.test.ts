import { afterEach, expect, test } from 'vitest'
import { checkRedis } from '../../src/redis/checks.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../src/redis/connection.ts'
import { canWaitForDisk, createConfirm } from '../../src/redis/durability.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { openQueue } from '../queue/open-queue.ts'
import { freePort, hasRedisServer, startRedis } from '../redis-servers.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

async function start(): Promise<{ server: RedisServer; redis: RedisConnection }> {
  const server = await startRedis('redis-server')
  const redis = await connectRedis(server.url)
  open.push(server, { close: () => closeRedis(redis) })
  return { server, redis }
}

/** Turns the append-only file on; a server that is still writing the first one would not exit. */
async function writeToFile(redis: RedisConnection): Promise<void> {
  await redis.config('SET', 'appendonly', 'yes')
  await expect
    .poll(() => redis.info('persistence'), { timeout: 10_000 })
    .toMatch(/aof_rewrite_in_progress:0[\s\S]*aof_rewrite_scheduled:0/)
}

/** A server whose answers are scripted, for what the installed one cannot do. */
function scripted(
  version: string,
  answers: Record<string, unknown>,
): { redis: RedisConnection; asked: unknown[] } {
  const asked: unknown[] = []
  const answer = async (...command: unknown[]): Promise<unknown> => {
    asked.push(command)
    return answers[String(command[0])]
  }
  const redis = {
    isCluster: false,
    info: async () => `redis_version:${version}\r\n`,
    call: answer,
    wait: (...rest: unknown[]) => answer('WAIT', ...rest),
  }
  return { redis: redis as unknown as RedisConnection, asked } // only what a confirmation uses
}

test('WAITAOF exists from 7.2 on', () => {
  expect(['6.2.0', '7.0.15', '7.2.0', '8.0.1'].map(canWaitForDisk)).toEqual([false, false, true, true])
})

test('with always, a write is confirmed by the disk and the replicas asked for, or fails', async () => {
  const good = scripted('7.2.4', { WAITAOF: [1, 1] })
  await (await createConfirm(good.redis, { durability: 'always', replicas: 1 }))()
  expect(good.asked).toEqual([['WAITAOF', 1, 1, 5_000]])
  const bad = scripted('7.2.4', { WAITAOF: [1, 0] })
  const confirm = await createConfirm(bad.redis, { durability: 'always', replicas: 1 })
  await expect(confirm()).rejects.toMatchObject({ code: 'queue/redis_unavailable' })
})

test('with aof or none, nothing is waited for', async () => {
  const { redis, asked } = scripted('7.2.4', {})
  for (const durability of ['aof', 'none'] as const) await (await createConfirm(redis, { durability }))()
  expect(asked).toEqual([])
})

test.skipIf(!hasRedisServer)(
  'a server that cannot keep the promise is refused with the line that mends it',
  async () => {
    const { redis } = await start()
    const check = () => checkRedis(redis, { durability: 'always' })
    await expect(check()).rejects.toThrow('CONFIG SET appendonly yes')
    await writeToFile(redis)
    const isOld = !canWaitForDisk(/redis_version:(\S+)/.exec(await redis.info('server'))?.[1] ?? '')
    if (isOld) await expect(check()).rejects.toThrow('CONFIG SET appendfsync always')
    await redis.config('SET', 'appendfsync', 'always')
    await expect.poll(() => check().then(() => 'fine', String), { timeout: 5_000 }).toBe('fine')
  },
)

test.skipIf(!hasRedisServer)(
  'with always, a turn is accepted where the promise is kept, and refused where no replica follows',
  async () => {
    const { server, redis } = await start()
    await writeToFile(redis)
    await redis.config('SET', 'appendfsync', 'always')
    const alone = await openQueue(server.url, { redis: { durability: 'always' } })
    open.push(alone)
    expect((await (await alone.client.enqueue('a', { input: 'x' })).read()).state).toBe('queued')
    const followed = await openQueue(server.url, { redis: { durability: 'always', replicas: 1 } })
    open.push(followed)
    await expect(followed.client.enqueue('a', { input: 'x' })).rejects.toMatchObject({
      code: 'queue/redis_unavailable',
      message: expect.stringContaining('did not confirm'),
    })
  },
  20_000,
)

test.skipIf(!hasRedisServer)(
  'a replica that follows confirms on the connection of the queue',
  async () => {
    const master = await start()
    const replica = await start()
    await writeToFile(master.redis)
    await master.redis.config('SET', 'appendfsync', 'always')
    // The servers here listen on sockets; a replica wants a port.
    await master.redis.config('SET', 'port', String(await freePort()))
    const [, port] = (await master.redis.config('GET', 'port')) as string[]
    await replica.redis.replicaof('127.0.0.1', Number(port))
    await expect
      .poll(async () => /state=online/.test(await master.redis.info('replication')), {
        timeout: 10_000,
      })
      .toBe(true)
    const queue = await openQueue(master.server.url, { redis: { durability: 'always', replicas: 1 } })
    open.push(queue)
    const turn = await queue.client.enqueue('a', { input: 'x' })
    expect((await turn.read()).state).toBe('queued')
  },
  30_000,
)
