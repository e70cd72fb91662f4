import type { AttemptReport } from '../../upstream.ts'

/**
 * How long routes take to their first content: peak-EWMA. A slow answer counts at once, a fast one only little by
 * little, and what is under way multiplies it (Finagle's `PeakEwma`).
 */
export type Speeds = {
  began(route: string): void
  ended(route: string, report: Pick<AttemptReport, 'outcome' | 'durationMs' | 'timeToFirstContentMs'>): void
  /** Milliseconds times what is under way; 0 of a route of which nothing is known, so that it becomes known. */
  costOf(route: string): number
  /** What an attempt needs to its first content as a rule, in milliseconds; 0 where nothing is known. */
  typicalMs(route: string): number
}

type Seen = { peakMs: number; typicalMs: number; at: number; underWay: number }

/** After so long without news a peak counts 37 %: a route that was slow is tried again. */
const FADES_IN_MS = 60_000
/** Weight of the newest in the plain mean. */
const NEWEST = 0.2

/** Speeds of nothing yet. `now`: monotonic milliseconds. */
export function createSpeeds(now: () => number): Speeds {
  const routes = new Map<string, Seen>()
  const entryOf = (route: string): Seen => {
    const entry = routes.get(route) ?? { peakMs: 0, typicalMs: 0, at: now(), underWay: 0 }
    routes.set(route, entry)
    return entry
  }
  const faded = ({ peakMs, at }: Seen): number => peakMs * Math.exp(-(now() - at) / FADES_IN_MS)
  return {
    began(route) {
      entryOf(route).underWay++
    },
    ended(route, { outcome, durationMs, timeToFirstContentMs }) {
      const entry = entryOf(route)
      entry.underWay = Math.max(0, entry.underWay - 1)
      if (outcome === 'cancelled') return
      // A failure without content took at least so long.
      const tookMs = timeToFirstContentMs ?? durationMs
      const now_ = faded(entry)
      entry.peakMs = tookMs > now_ ? tookMs : now_ + NEWEST * (tookMs - now_)
      entry.at = now()
      if (outcome !== 'ok') return
      entry.typicalMs = entry.typicalMs === 0 ? tookMs : entry.typicalMs + NEWEST * (tookMs - entry.typicalMs)
    },
    costOf(route) {
      const entry = routes.get(route)
      return entry === undefined ? 0 : faded(entry) * (entry.underWay + 1)
    },
    typicalMs: (route) => routes.get(route)?.typicalMs ?? 0,
  }
}
