import type { Reason } from '../../../errors.ts'
import type { Rule } from './rules.ts'
import type { Delta } from './store.ts'

/** What this process has seen on its routes and not told yet. */
export type Pending = {
  add(route: string, generation: number, result: Result): void
  /** Takes what there is of a route; undefined if nothing. */
  take(route: string): Delta | undefined
  routes(): readonly string[]
  clear(): void
}

export type Result =
  | { readonly type: 'success' }
  | { readonly type: 'failure'; readonly reason: Reason }
  | { readonly type: 'reroute' }

/** Gathers results by route. Those of an older generation give way to those of a newer one. */
export function createPending(rulesOf: (subject: string) => readonly Rule[]): Pending {
  const byRoute = new Map<string, Delta>()
  return {
    add(route, generation, result) {
      const held = byRoute.get(route)
      if (held !== undefined && held.generation > generation) return
      const base = held?.generation === generation ? held : emptyDelta(generation)
      byRoute.set(route, withResult(base, result, rulesOf(route)))
    },
    take(route) {
      const held = byRoute.get(route)
      byRoute.delete(route)
      return held
    },
    routes: () => [...byRoute.keys()],
    clear: () => byRoute.clear(),
  }
}

/** A delta that tells nothing: reported, it lets a quiet degraded route recover. */
export function emptyDelta(generation: number): Delta {
  return { generation, successes: 0, failures: 0, byRule: {}, rerouted: false }
}

function withResult(delta: Delta, result: Result, rules: readonly Rule[]): Delta {
  switch (result.type) {
    case 'success':
      return { ...delta, successes: delta.successes + 1 }
    case 'reroute':
      return { ...delta, rerouted: true }
    case 'failure': {
      const touched = rules.filter(({ reasons }) => reasons.includes(result.reason))
      const counts = touched.map(({ name }) => [name, (delta.byRule[name] ?? 0) + 1] as const)
      return {
        ...delta,
        failures: delta.failures + 1,
        byRule: { ...delta.byRule, ...Object.fromEntries(counts) },
      }
    }
  }
}
