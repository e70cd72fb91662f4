import type { RedisConnection } from '../redis/connection.ts'
import type { TurnKeys } from '../redis/keys.ts'
import { loadScript, type ScriptArgument, tagOf } from '../redis/scripts.ts'
import type { Together } from '../redis/together.ts'
import type { Claim, ShownStep, WriteOutcome } from './journal-types.ts'
import { shownStepToToken } from './records.ts'
import type { TurnEventBody } from './types.ts'

/** Hands events on to the readers of one running turn. */
export type WriteDeltas = (events: readonly TurnEventBody[]) => Promise<WriteOutcome>

/** Makes a writer; `step` is the model step that it is for, which a worker that takes the turn over is told of. */
export type DeltaWriters = (claim: Claim, step?: Omit<ShownStep, 'epoch'>) => WriteDeltas

type Batch = {
  readonly keys: string[]
  readonly args: ScriptArgument[]
  readonly written: Promise<readonly WriteOutcome[]>
}

/** A script keeps Redis from all else while it runs: some 3 ms for so many turns. */
const MOST_TURNS = 100

/**
 * What comes for all turns of this process in one round of the event loop leaves as one script: of a write for each of
 * them the client's own part is four fifths. On a cluster, one for each session; behind a proxy that refuses keys of
 * several slots, one for each turn.
 */
export function createDeltaWriters(
  redis: RedisConnection,
  keysOf: (turnId: string) => TurnKeys,
  together: Together,
): DeltaWriters {
  const script = loadScript('relay', import.meta.url)
  const batches = new Map<string, Batch>()
  let writes = 0

  const run = (keys: readonly string[], args: readonly ScriptArgument[]) =>
    script.run(redis, keys, args) as Promise<readonly WriteOutcome[]>
  const runEach = async (keys: readonly string[], args: readonly ScriptArgument[]) => {
    const turns = Array.from({ length: keys.length / 2 }, (_turn, i) => i)
    const outcomes = turns.map((i) => run(keys.slice(2 * i, 2 * i + 2), args.slice(3 * i, 3 * i + 3)))
    return (await Promise.all(outcomes)).flat()
  }

  const open = (place: string): Batch => {
    const keys: string[] = []
    const args: ScriptArgument[] = []
    const written = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      if (batches.get(place)?.keys === keys) batches.delete(place)
      return together(
        () => run(keys, args),
        () => runEach(keys, args),
      )
    })
    const batch = { keys, args, written }
    batches.set(place, batch)
    return batch
  }

  return ({ turn, epoch }, step) => {
    const keys = keysOf(turn.id)
    const shows = step ? ` ${shownStepToToken(step)}` : ''
    const place = redis.isCluster ? tagOf(keys.turn) : ''
    return async (events) => {
      const waiting = batches.get(place)
      const batch = waiting && waiting.keys.length < 2 * MOST_TURNS ? waiting : open(place)
      const nth = batch.keys.push(keys.turn, keys.events) / 2 - 1
      // Each epoch is of one worker, so its number and a count of that worker's make a token nobody else has.
      batch.args.push(`${epoch}.${++writes}${shows}`, keys.channel, JSON.stringify(events))
      const outcomes = await batch.written
      return outcomes[nth]!
    }
  }
}
