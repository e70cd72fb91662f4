/**
 * The places of each provider: how many requests this process may have under way with it at once. The limit is one of
 * the process, since a limit of the fleet would ask Redis at every call.
 *
 * A place is taken by the first that asked; a waiter that gives up leaves the queue.
 */
export type Places = {
  /** Whether a request would have to wait. */
  isFull(provider: string): boolean
  /**
   * The way to give a place back, at once where one is free; else a promise of it, which resolves to undefined when
   * `signal` ended the wait.
   */
  take(provider: string, signal: AbortSignal | undefined): Leave | Promise<Leave | undefined>
}

/** Gives a place back; calling it again changes nothing. */
export type Leave = () => void

const NO_LIMIT: Leave = () => {}

type Room = { readonly size: number; taken: number; readonly waiting: (() => void)[] }

/** Places by the configured limits; a provider without one has room for all. */
export function createPlaces(limits: Readonly<Record<string, number | undefined>>): Places {
  const rooms = new Map<string, Room>()
  for (const [provider, size] of Object.entries(limits)) {
    if (size !== undefined) rooms.set(provider, { size, taken: 0, waiting: [] })
  }
  const giveBack = (room: Room): Leave => {
    let isGiven = false
    return () => {
      if (isGiven) return
      isGiven = true
      const next = room.waiting.shift()
      if (next === undefined) room.taken--
      else next() // the place goes on to the next in line
    }
  }
  return {
    isFull(provider) {
      const room = rooms.get(provider)
      return room !== undefined && room.taken >= room.size
    },
    take(provider, signal) {
      const room = rooms.get(provider)
      if (room === undefined) return NO_LIMIT
      if (room.taken < room.size) {
        room.taken++
        return giveBack(room)
      }
      return new Promise((resolve) => {
        if (signal?.aborted) return resolve(undefined)
        const enter = (): void => {
          signal?.removeEventListener('abort', leave)
          resolve(giveBack(room))
        }
        const leave = (): void => {
          const at = room.waiting.indexOf(enter)
          if (at >= 0) room.waiting.splice(at, 1)
          resolve(undefined)
        }
        room.waiting.push(enter)
        signal?.addEventListener('abort', leave, { once: true })
      })
    },
  }
}
