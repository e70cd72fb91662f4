/** Repeatable chance: the same seed gives the same numbers. */

import { createHash } from 'node:crypto'

/** Numbers from 0 (included) to 1 (excluded). */
export type Random = () => number

/** A stream of numbers from a 32-bit seed (mulberry32, Tommy Ettinger, public domain). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A hexadecimal digest of anything that JSON can write. */
export function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex')
}

/** A seed for `seededRandom` out of anything that JSON can write. */
export function seedOf(value: unknown): number {
  return Number.parseInt(digest(value).slice(0, 8), 16)
}

/** One of `choices`, which must not be empty. */
export function pick<T>(choices: readonly [T, ...T[]], random: Random): T {
  return choices[Math.floor(random() * choices.length)] ?? choices[0]
}
