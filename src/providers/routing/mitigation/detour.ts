/**
 * The way of a call: to the routes of its own alias, or to those of the fallback while the alias, or the caller's
 * segment of it, has moved. Decided once a call, from memory.
 */

import type { TurnkeeperError } from '../../../errors.ts'
import type { Decision } from '../engine-types.ts'
import type { RouteTable } from '../route-table.ts'
import type { ChooseOptions, Explanation, Router } from '../router.ts'
import { type MitigationRecord, shareOf, viewOf } from './machine.ts'
import { segmentSubject } from './subject.ts'
import type { MitigationWatch } from './watch.ts'

/** A call goes to another alias. */
export type Detour = { readonly model: string; readonly decision: Decision }

/** What the engine needs of mitigations. */
export type Mitigation = {
  /** Where a call of `model` goes instead; undefined where it stays. */
  detour(model: string, options: ChooseOptions & Segmented): Detour | undefined
  /** Tells of an attempt on `route`, made for a call of `model`. */
  attempted(model: string, attempt: Attempted): void
}

/** The segment of a call: the id of the API key that it came with. Default: one segment for all. */
export type Segmented = { readonly segment?: string }

export type Attempted = Segmented & {
  readonly route: string
  readonly error: TurnkeeperError | undefined
}

/** Without mitigations every call stays. */
export const NO_MITIGATION: Mitigation = { detour: () => undefined, attempted: () => {} }

/** The ways where nothing moves. */
export function straightWays(router: Pick<Router, 'explain'>): Detours {
  return {
    ...NO_MITIGATION,
    aliasNow: (model) => model,
    explain: (model, options) => router.explain(model, options),
  }
}

export type DetourOptions = {
  readonly watch: Pick<MitigationWatch, 'recordOf' | 'count'>
  readonly table: RouteTable
  readonly router: Router
  /** 0 to 1; which calls are the share that returns. Default `Math.random`. */
  readonly random?: () => number
}

export type Detours = Mitigation & {
  /** The alias of which a call of `model` would be served now; for one that returns, its own. */
  aliasNow(model: string, options?: Segmented): string
  /** `Router.explain` with the mitigation of the alias in it. */
  explain(model: string, options?: ChooseOptions & Segmented): Explanation | undefined
}

/** The ways of calls by the records of `watch`. */
export function createDetours({ watch, table, router, random = Math.random }: DetourOptions): Detours {
  /** The worse of the alias and of the caller's segment. */
  const recordFor = (alias: string, { segment }: Segmented): MitigationRecord => {
    const whole = watch.recordOf(alias)
    const own = watch.recordOf(segmentSubject(alias, segment))
    return shareOf(own) < shareOf(whole) ? own : whole
  }
  const fallbackOf = (model: string): string | undefined => table.find(model)?.mitigation?.fallback
  const firstRoute = (model: string): string => table.find(model)?.routes[0]?.name ?? model
  /** Follows the fallbacks of fallbacks; configuration has no circle of them. */
  const follow = (model: string, options: Segmented, stays: (share: number) => boolean) => {
    let alias = model
    let last: MitigationRecord | undefined
    for (let to = fallbackOf(alias); to !== undefined; to = fallbackOf(alias)) {
      const record = recordFor(alias, options)
      const share = shareOf(record)
      if (share >= 1 || stays(share)) break
      last = record
      alias = to
    }
    return { alias, record: last }
  }
  const canServe = (alias: string, options: ChooseOptions): boolean => {
    const choice = router.choose(alias, options)
    return choice.kind === 'routes' && !choice.isLastResort
  }
  return {
    detour(model, options) {
      if (fallbackOf(model) === undefined) return undefined
      const { alias, record } = follow(model, options, (share) => share > 0 && random() < share)
      // Better the routes of its own, ill as they are, than none.
      if (record === undefined || !canServe(alias, options)) return undefined
      const move = { from: firstRoute(model), to: firstRoute(alias), reason: record.reason }
      return { model: alias, decision: { type: 'mitigate', ...move } }
    },
    attempted(model, { route, segment, error }) {
      const alias = table.find(model)
      if (alias?.mitigation === undefined || alias.routes[0]?.name !== route) return
      watch.count(alias.alias, segment, error?.reason)
    },
    aliasNow: (model, options = {}) => follow(model, options, (share) => share > 0).alias,
    explain(model, options = {}) {
      const own = router.explain(model, options)
      const fallback = fallbackOf(model)
      if (own === undefined || fallback === undefined) return own
      const record = recordFor(model, options)
      const mitigation = viewOf(record, fallback)
      const { alias } = follow(model, options, (share) => share > 0)
      const there = alias === model || !canServe(alias, options) ? undefined : router.explain(alias, options)
      if (there === undefined) return { ...own, mitigation }
      const passed = own.candidates
        .filter(({ route }) => there.candidates.every((one) => one.route !== route))
        .map((one) => ({ ...one, chosen: false, place: null, reason: mitigation.reason }))
      return { ...own, mitigation, candidates: [...there.candidates, ...passed] }
    },
  }
}
