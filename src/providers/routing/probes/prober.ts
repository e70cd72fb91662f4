/**
 * Probes a route: fills the cells of its profile that nobody knows, one small real request each.
 *
 * leasing ──taken──▶ asking ──next cell──▶ asking … ──nothing left, no money, lease lost──▶ released
 *    └──held elsewhere──▶ busy
 *
 * B1. One process of the fleet probes a route at a time; findings are written one by one, under its lease.
 * B2. No request is sent that the budget of the day has no room for.
 * B3. What is known already, from traffic too, is not asked for; what follows from a simpler cell is not asked either.
 * B4. A cell is broken only where a simpler one works, and when it was broken twice in a row.
 * B5. No breaker, health score or count of attempts hears of a probe: it says how a route can be asked, not how it does.
 */

import { randomBytes } from 'node:crypto'
import type { RouteConfig } from '../../../config/config.ts'
import { TurnkeeperError, toTurnkeeperError } from '../../../errors.ts'
import type { Telemetry } from '../../../telemetry/telemetry.ts'
import { createCollector } from '../../collect.ts'
import type { Price } from '../../models/model-info.ts'
import { costOf, estimateCost } from '../../models/pricing.ts'
import type { AttemptReport, Upstream } from '../../upstream.ts'
import { describeAttempt } from '../metrics.ts'
import { type Cell, type CellName, cellName, type Fact, type RouteProfile, simplerCells } from './cells.ts'
import { cellToRequest, type Judgement, judgeProbe, PROBE_INPUT_TOKENS, PROBE_MAX_TOKENS } from './judge.ts'
import type { ProfileStore } from './store.ts'

export type ProbeRun = {
  /** Requests that were sent. */
  readonly sent: number
  readonly costUsd: number
  /** Why it ended before everything was known. `busy`: another process probes the route. */
  readonly stopped?: 'busy' | 'budget' | 'closed'
}

export type ProbeRunOptions = {
  /** Asks for everything anew. Default false. */
  readonly refresh?: boolean
  readonly signal?: AbortSignal
}

export type Prober = {
  /** Rejects when Redis cannot be reached. */
  probe(route: RouteConfig, options?: ProbeRunOptions): Promise<ProbeRun>
  /** Whether there is something to ask a route for, by what is known of it. */
  isDue(route: RouteConfig, profile: RouteProfile): boolean
}

export type ProberOptions = {
  readonly store: ProfileStore
  readonly ttlMs: number
  readonly upstreamOf: (route: string) => Upstream | undefined
  /** The key of a probe. */
  readonly tokenOf: (route: RouteConfig) => Promise<string | undefined>
  readonly priceOf: (route: RouteConfig) => Price | undefined
  /** The cells that make sense for a route. */
  readonly cellsOf: (route: RouteConfig) => readonly Cell[]
  readonly telemetry: Telemetry
  /** Told of every probe that was sent. */
  readonly onReport?: (report: AttemptReport) => void
  /** 0 to 1; shortens the life of facts, so that not all end at once. Default `Math.random`. */
  readonly random?: () => number
}

/** Beyond what a provider's own limits allow; the lease outlives two such requests. */
const REQUEST_TIMEOUT_MS = 45_000
const LEASE_MS = 120_000
/** A failure says little of the cell: it is asked for again soon. */
const FAILED_FOR_MS = 600_000
/** What is lost when it ends is renewed in the last part of its life. */
const MARGIN = 0.05

/** Dollars a million tokens, where no price is known: dear, so that the budget holds whatever the route is. */
const ASSUMED_PRICE: Price = { inputUsd: 5, outputUsd: 25 }

/** A prober without a timer: whoever has it says when. */
export function createProber(options: ProberOptions): Prober {
  const { store, ttlMs, cellsOf, random = Math.random } = options
  const lifeOf = ({ verdict }: Judgement): number =>
    verdict === 'failed' ? Math.min(ttlMs, FAILED_FOR_MS) : ttlMs * (0.9 + 0.1 * random())

  const fill = async (route: RouteConfig, known: Known, run: Run): Promise<ProbeRun> => {
    for (let next = nextCell(cellsOf(route), known); next; next = nextCell(cellsOf(route), known)) {
      if (run.signal?.aborted) return ended(run, 'closed')
      const { cell } = next
      const found = next.inferred ?? (await askTwice(options, { route, cell, run }))
      if (typeof found === 'string') return ended(run, found)
      known.set(cellName(cell), found)
      const finding = { cell: cellName(cell), ...found }
      const holding = { nonce: run.nonce, leaseMs: LEASE_MS, forMs: lifeOf(found) }
      if (!(await store.note(route.name, finding, holding))) return ended(run, 'busy')
    }
    return ended(run)
  }
  return {
    isDue: (route, profile) => nextCell(cellsOf(route), knownFrom(profile, ttlMs)) !== undefined,
    async probe(route, { refresh = false, signal } = {}) {
      const nonce = randomBytes(9).toString('base64url')
      const run: Run = { nonce, signal, sent: 0, costUsd: 0 }
      if (!(await store.lease(route.name, nonce, LEASE_MS))) return ended(run, 'busy')
      try {
        // Read under the lease: whoever had it before may have found everything.
        const [profile = new Map()] = refresh ? [] : await store.read([route.name])
        return await fill(route, settledFrom(profile, ttlMs), run)
      } finally {
        await store.release(route.name, nonce).catch(() => {}) // it ends by itself
      }
    },
  }
}

type Known = Map<CellName, Judgement>
type Run = { readonly nonce: string; readonly signal: AbortSignal | undefined; sent: number; costUsd: number }

function ended({ sent, costUsd }: Run, stopped?: ProbeRun['stopped']): ProbeRun {
  return { sent, costUsd, ...(stopped && { stopped }) }
}

function knownFrom(profile: RouteProfile, ttlMs: number): Known {
  const isFresh = ({ verdict, forMs }: Fact): boolean =>
    forMs > (verdict === 'ok' || verdict === 'refused' ? MARGIN * ttlMs : 0)
  return toKnown([...profile].filter(([, fact]) => isFresh(fact)))
}

/** Whoever has come to ask asks for what had failed, too: the rest between failures is over, or a person wants to know. */
function settledFrom(profile: RouteProfile, ttlMs: number): Known {
  return toKnown([...knownFrom(profile, ttlMs)].filter(([, { verdict }]) => verdict !== 'failed'))
}

function toKnown(judged: readonly (readonly [CellName, Judgement])[]): Known {
  return new Map(judged.map(([cell, { verdict, code }]) => [cell, { verdict, code }]))
}

/** The next cell to fill, with what follows from a simpler one; undefined where nothing can be asked for now. */
function nextCell(
  cells: readonly Cell[],
  known: Known,
): { readonly cell: Cell; readonly inferred?: Judgement } | undefined {
  for (const cell of cells.filter((candidate) => !known.has(cellName(candidate)))) {
    const simpler = simplerCells(cell).map((one) => known.get(cellName(one)))
    const inferred = simpler.find((one) => one?.verdict === 'refused' || one?.verdict === 'broken')
    if (inferred) return { cell, inferred }
    if (simpler.every((one) => one?.verdict === 'ok')) return { cell }
  }
  return undefined
}

type Asking = { readonly route: RouteConfig; readonly cell: Cell; readonly run: Run }
type Asked = Judgement | 'budget' | 'closed'

/** B4. */
async function askTwice(options: ProberOptions, asking: Asking): Promise<Asked> {
  const first = await ask(options, asking)
  return typeof first !== 'string' && first.verdict === 'broken' ? ask(options, asking) : first
}

async function ask(options: ProberOptions, { route, cell, run }: Asking): Promise<Asked> {
  const { store, upstreamOf, tokenOf, priceOf, telemetry } = options
  const upstream = upstreamOf(route.name)
  if (upstream === undefined) return { verdict: 'failed', code: 'server/no_route' }
  const price = priceOf(route) ?? ASSUMED_PRICE
  const most = estimateCost(price, { inputTokens: PROBE_INPUT_TOKENS, maxTokens: PROBE_MAX_TOKENS }).mostUsd
  const reservation = await store.reserve(most)
  if (reservation === undefined) return 'budget'
  const about = { route: route.name, probe: true, 'probe.cell': cellName(cell) }
  const collector = createCollector(route.name)
  const attempt = telemetry.observe('provider_attempt', about, async (span) => {
    const apiKey = await tokenOf(route)
    const limit = AbortSignal.timeout(REQUEST_TIMEOUT_MS)
    const made = await upstream.attempt(cellToRequest(cell), collector.add, {
      signal: run.signal ? AbortSignal.any([run.signal, limit]) : limit,
      stream: cell.stream,
      ...(apiKey !== undefined && { apiKey }),
    })
    describeAttempt(span, made)
    return made
  })
  const report = await attempt.catch(toTurnkeeperError)
  if (report instanceof TurnkeeperError) {
    await store.settle(reservation, 0)
    return { verdict: 'failed', code: report.code }
  }
  run.sent++
  const costUsd = costOfProbe(report, price, most)
  run.costUsd += costUsd
  await store.settle(reservation, costUsd)
  options.onReport?.(report)
  if (run.signal?.aborted) return 'closed'
  const judgement = judgeProbe(cell, report, collector.answer())
  telemetry.count('route_probes_total', {
    route: route.name,
    cell: cellName(cell),
    verdict: judgement.verdict,
  })
  telemetry.count('route_probe_cost_usd_total', { route: route.name }, costUsd)
  return judgement
}

/** Without a count of tokens: nothing for a request that failed before its content, else the most it can be. */
function costOfProbe({ usage, error, phase }: AttemptReport, price: Price, most: number): number {
  return costOf(price, usage) ?? (error !== undefined && phase !== 'after_content' ? 0 : most)
}
