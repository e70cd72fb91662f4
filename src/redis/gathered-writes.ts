import type { Redis } from 'ioredis'

/**
 * Lets the commands of one round of the event loop leave in one write while others are on their way: fewer system calls here
 * and in Redis, which reads them together and answers together. Where none is (as Nagle has it), somebody waits for this one
 * alone: what the running callback sends leaves as it ends. Nothing waits for longer than the round, which ends before the
 * process sleeps. A pipeline would do the same, but loses the commands behind a half answered one when the connection breaks.
 */
export function gatherWrites(redis: Redis): void {
  redis.on('connect', () => {
    const { stream } = redis
    const write = stream.write.bind(stream)
    const flush = (): void => stream.uncork()
    const gather = (...args: Parameters<typeof write>): boolean => {
      if (stream.writableCorked === 0) {
        stream.cork()
        if (redis.commandQueue.length === 0) process.nextTick(flush)
        else setImmediate(flush)
      }
      return write(...args)
    }
    stream.write = gather as typeof stream.write // of its overloads, Parameters names the last alone
  })
}
