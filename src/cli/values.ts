/** Parsers of option values; each refuses with what it expected. */

import { InvalidArgumentError } from 'commander'
import { parseDuration } from '../config/duration.ts'

/** A parser of whole numbers from `min` to `max`. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`)
  }
}

/** Milliseconds of `90s` or `10m`. */
export function duration(text: string): number {
  const durationMs = parseDuration(text)
  if (durationMs !== undefined) return durationMs
  throw new InvalidArgumentError('Expected a duration such as 250ms, 30s, 10m or 2h.')
}

/** Text that is not empty. */
export function word(text: string): string {
  if (text !== '') return text
  throw new InvalidArgumentError('Expected some text.')
}
