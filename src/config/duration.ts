const MS_PER_UNIT = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/

/** Longer than this, Node's timers fire at once (2^31 - 1 ms, https://nodejs.org/api/timers.html). */
const MAX_DURATION_MS = 2_147_483_647

/** Milliseconds of `250ms`, `30s`, `10m`, `2h` or `7d`; undefined for anything else, 0 and over 24 days included. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text)
  if (match === null) return undefined
  const [, amount, unit] = match
  const durationMs = Math.round(Number(amount) * MS_PER_UNIT[unit as keyof typeof MS_PER_UNIT]) // the pattern allows no other unit
  return durationMs >= 1 && durationMs <= MAX_DURATION_MS ? durationMs : undefined
}
