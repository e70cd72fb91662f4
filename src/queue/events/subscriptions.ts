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
  const groups = new Map<string, Group>()
  connection.on('message', (channel: string, message: string) => {
    for (const listener of groups.get(channel)?.listeners ?? []) listener(message)
  })
  // ioredis subscribes again by itself; what was said in between is lost, so everybody looks once.
  connection.on('ready', () => {
    for (const { listeners } of groups.values()) for (const listener of listeners) listener()
  })

  const open = (channel: string): Group => {
    const group = { listeners: new Set<Listener>(), standing: connection.subscribe(channel) }
    groups.set(channel, group)
    return group
  }
  const leave = (channel: string, listener: Listener): void => {
    const group = groups.get(channel)
    if (!group?.listeners.delete(listener) || group.listeners.size > 0) return
    groups.delete(channel)
    connection.unsubscribe(channel).catch(ignore)
  }
  return {
    listen(channel, listener) {
      const { listeners, standing } = groups.get(channel) ?? open(channel)
      listeners.add(listener)
      // Whoever listens looks once when the subscription stands, for what came before it; at once beside others.
      standing.then(() => listener(), ignore)
      return () => leave(channel, listener)
    },
    close: () => closeRedis(connection),
  }
}

/** Who listens on a channel, and when its subscription stands. */
type Group = { readonly listeners: Set<Listener>; readonly standing: Promise<unknown> }

function ignore(): void {}
