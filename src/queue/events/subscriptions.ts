import { closeRedis, type RedisConnection } from '../../redis/connection.ts'

/** Gets the message, or nothing where it may have missed some. */
export type Listener = (message?: string) => void

/** One pub/sub connection shared by all readers of a process. */
export type Subscriptions = {
  /** Calls `listener` at each message on `channel`, until the returned function is called. */
  listen(channel: string, listener: Listener): () => void
  close(): Promise<void>
}

/**
 * Shares `connection` between many listeners. A message is only a hint to look again: Redis forgets it when nobody
 * is connected, so every reader also looks by itself now and then.
 */
export function createSubscriptions(connection: RedisConnection): Subscriptions {
  const listeners = new Map<string, Set<Listener>>()
  connection.on('message', (channel: string, message: string) => {
    for (const listener of listeners.get(channel) ?? []) listener(message)
  })
  // ioredis subscribes again by itself; what was said in between is lost, so everybody looks once.
  connection.on('ready', () => {
    for (const group of listeners.values()) for (const listener of group) listener()
  })

  const leave = (channel: string, listener: Listener): void => {
    const group = listeners.get(channel)
    if (!group?.delete(listener) || group.size > 0) return
    listeners.delete(channel)
    connection.unsubscribe(channel).catch(ignore)
  }
  return {
    listen(channel, listener) {
      const group = listeners.get(channel)
      if (group) group.add(listener)
      else {
        listeners.set(channel, new Set([listener]))
        // Whoever listens looks once when the subscription stands, for what came before it.
        connection.subscribe(channel).then(() => listener(), ignore)
      }
      return () => leave(channel, listener)
    },
    close: () => closeRedis(connection),
  }
}

function ignore(): void {}
