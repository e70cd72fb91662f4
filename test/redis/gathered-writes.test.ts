import { EventEmitter } from 'node:events'
import { Writable } from 'node:stream'
import type { Redis } from 'ioredis'
import { describe, expect, it } from 'vitest'
import { gatherWrites } from '../../src/redis/gathered-writes.ts'

/** A connection of which nothing is real but its stream; `left` is what has left it, a write each. */
function connection({ awaited }: { awaited: number }) {
  const left: string[] = []
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      left.push(chunk)
      done()
    },
    writev(chunks, done) {
      left.push(chunks.map(({ chunk }) => chunk as string).join(''))
      done()
    },
  })
  const redis = Object.assign(new EventEmitter(), { stream, commandQueue: { length: awaited } })
  gatherWrites(redis as unknown as Redis) // of which it takes these
  redis.emit('connect')
  return { redis, left, send: (command: string) => redis.stream.write(command) }
}

const callbackEnds = () => new Promise<void>((resolve) => process.nextTick(resolve))
const roundEnds = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('commands of a connection', () => {
  it('leave in one write as the callback ends, where no answer is awaited', async () => {
    const { left, send } = connection({ awaited: 0 })
    send('a')
    Promise.resolve().then(() => send('b'))
    await callbackEnds()
    await callbackEnds()
    expect(left).toEqual(['ab'])
  })

  it('leave in one write at the end of the round, where answers are awaited', async () => {
    const { left, send } = connection({ awaited: 1 })
    send('a')
    await callbackEnds()
    send('b')
    await callbackEnds()
    expect(left).toEqual([])
    await roundEnds()
    expect(left).toEqual(['ab'])
  })

  it('leave again after they have left', async () => {
    const { left, redis, send } = connection({ awaited: 0 })
    send('a')
    await callbackEnds()
    redis.commandQueue.length = 1
    send('b')
    await roundEnds()
    expect(left).toEqual(['a', 'b'])
  })
})
