/**
 * Before anything is sent: what is wrong with a request, and which routes of its alias cannot serve it.
 *
 * F1. Parameters that one route of the alias would refuse are refused at once, whichever route would have been taken:
 *     a mistake must not wait for the day on which the traffic moves.
 * F2. A route is passed over only for what is known; what nobody has said of it is tried.
 * F3. Nothing is counted by a tokenizer that fits by its bytes alone.
 */

import type { RouteConfig } from '../../config/config.ts'
import { TurnkeeperError } from '../../errors.ts'
import {
  type Capability,
  neededBy,
  type RouteCapabilities,
  withoutImages,
} from '../capabilities/capability.ts'
import { countTokens, mostTokens } from '../models/tokens.ts'
import { DEFAULT_MAX_TOKENS } from '../parameters/rule.ts'
import type { ModelRequest } from '../types.ts'
import type { Untranslatable, Upstream } from '../upstream.ts'
import type { Decision } from './engine-types.ts'

export type Preflight = {
  /** As it is to be sent. */
  readonly request: ModelRequest
  /** Routes that cannot serve it, with the reason. */
  readonly unfit: ReadonlyMap<string, TurnkeeperError>
  /** What was decided on the way. */
  readonly decisions: readonly Decision[]
  /** Nothing can be sent. */
  readonly refusal?: TurnkeeperError
  /** The route whose protocol cannot say the request, where that is why. */
  readonly untranslatable?: { readonly route: RouteConfig; readonly what: Untranslatable }
}

export type PreflightWorld = {
  readonly upstreamOf: (route: string) => Pick<Upstream, 'refusal'> | undefined
  /** Undefined where nothing is known of routes. */
  readonly capabilitiesOf: ((route: RouteConfig) => RouteCapabilities) | undefined
}

/** Looks at a request and at all routes of its alias; a promise only where its tokens have to be counted. */
export function preflight(
  request: ModelRequest,
  routes: readonly RouteConfig[],
  { upstreamOf, capabilitiesOf }: PreflightWorld,
): Preflight | Promise<Preflight> {
  for (const route of routes) {
    const refused = upstreamOf(route.name)?.refusal?.(request)
    if (refused === undefined) continue
    const { error: refusal, what } = refused
    return { request, unfit: NONE_UNFIT, decisions: [], refusal, untranslatable: { route, what } }
  }
  if (capabilitiesOf === undefined) return { request, unfit: NONE_UNFIT, decisions: [] }
  const known = routes.map((route) => ({ route, can: capabilitiesOf(route) }))
  const lack = lacking(neededBy(request), known)
  const isBlind = lack.size > 0 && lack.size === routes.length && [...lack.values()].every(isAboutVision)
  return request.imagesAsText && isBlind ? inWords(request, known) : withoutUnfit(request, known, lack)
}

const NONE_UNFIT: Preflight['unfit'] = new Map()

/** The same for the request with words in the place of its images. */
async function inWords(request: ModelRequest, known: readonly Known[]): Promise<Preflight> {
  const route = known[0]?.route.name ?? ''
  const degrade: Decision = { type: 'images_as_text', from: route, to: route, reason: 'capability_missing' }
  const said = withoutImages(request)
  const rest = await withoutUnfit(said, known, lacking(neededBy(said), known))
  return { ...rest, decisions: [degrade, ...rest.decisions] }
}

/** The routes that are known to lack something of what is needed, with what it is. */
export function unfitFor(
  needed: readonly Capability[],
  routes: readonly RouteConfig[],
  capabilitiesOf: PreflightWorld['capabilitiesOf'],
): ReadonlyMap<string, TurnkeeperError> {
  if (capabilitiesOf === undefined) return NONE_UNFIT
  return lacking(
    needed,
    routes.map((route) => ({ route, can: capabilitiesOf(route) })),
  )
}

type Known = { readonly route: RouteConfig; readonly can: RouteCapabilities }

function withoutUnfit(
  request: ModelRequest,
  known: readonly Known[],
  lack: Preflight['unfit'],
): Preflight | Promise<Preflight> {
  const tight = tightWindows(request, known)
  if (tight.length === 0) return verdictOn(request, known, lack)
  return overflowing(request, tight).then((over) =>
    verdictOn(request, known, over.size === 0 ? lack : new Map([...lack, ...over])),
  )
}

function verdictOn(request: ModelRequest, known: readonly Known[], unfit: Preflight['unfit']): Preflight {
  if (unfit.size === 0) return { request, unfit, decisions: [] }
  if (unfit.size < known.length) {
    const decisions = [...unfit].map(([route, { reason }]) => passOver(route, reason))
    return { request, unfit, decisions }
  }
  const errors = [...unfit.values()]
  // A prompt that is too long says more than a route that could not have served it either.
  const refusal = errors.find(({ reason }) => reason === 'context_length') ?? errors[0]
  const refusing =
    refusal?.reason === 'capability_missing'
      ? known.find(({ route }) => unfit.get(route.name) === refusal)
      : undefined
  const untranslatable = refusing && formatLack(neededBy(request), refusing)
  return {
    ...{ request, unfit, decisions: [] },
    ...(refusal && { refusal }),
    ...(untranslatable && { untranslatable }),
  }
}

/** What the wire format of a refusing route has no place for, where that is why it refuses. */
function formatLack(needed: readonly Capability[], { route, can }: Known): Preflight['untranslatable'] {
  const missing = needed.find((capability) => can[capability].can === false)
  return missing !== undefined && can[missing].ofFormat ? { route, what: [missing] } : undefined
}

function passOver(route: string, reason: string): Decision {
  return { type: 'pass_over', from: route, to: route, reason }
}

function lacking(needed: readonly Capability[], known: readonly Known[]): Preflight['unfit'] {
  let found: Map<string, TurnkeeperError> | undefined
  for (const { route, can } of known) {
    const missing = needed.find((capability) => can[capability].can === false)
    if (missing === undefined) continue
    found ??= new Map()
    found.set(route.name, lackError(route.name, missing))
  }
  return found ?? NONE_UNFIT
}

function lackError(route: string, missing: Capability): TurnkeeperError {
  const remedy =
    missing === 'vision'
      ? 'add a route that sees to its alias, or allow "imagesAsText"'
      : 'add a route that can to its alias'
  return new TurnkeeperError('capability_missing', `${route} lacks ${missing}: ${remedy}`, { route })
}

const isAboutVision = ({ message }: TurnkeeperError): boolean => message.includes(' lacks vision: ')

type Tight = {
  readonly route: RouteConfig
  readonly window: number
  /** Of the window, for the prompt. */
  readonly free: number
}

const maxTokensOf = ({ parameters }: ModelRequest): number => parameters?.maxTokens ?? DEFAULT_MAX_TOKENS

/** The routes whose window the prompt might overflow, by its bytes. */
function tightWindows(request: ModelRequest, known: readonly Known[]): readonly Tight[] {
  const maxTokens = maxTokensOf(request)
  const tight: Tight[] = []
  let most: number | undefined
  for (const { route, can } of known) {
    const window = request.parameters?.contextWindow ?? can.contextWindow
    if (window === null) continue
    // A server whose whole window is shorter than the longest answer cuts the answer.
    const free = maxTokens < window ? window - maxTokens : window
    most ??= mostTokens(request)
    if (most > free) tight.push({ route, window, free })
  }
  return tight
}

async function overflowing(
  request: ModelRequest,
  tight: readonly Tight[],
): Promise<ReadonlyMap<string, TurnkeeperError>> {
  const found = new Map<string, TurnkeeperError>()
  const maxTokens = maxTokensOf(request)
  for (const { route, window, free } of tight) {
    const { atLeast } = await countTokens(route.model, request)
    if (atLeast > free) found.set(route.name, overflowError(route.name, { atLeast, window, maxTokens }))
  }
  return found
}

function overflowError(
  route: string,
  { atLeast, window, maxTokens }: { atLeast: number; window: number; maxTokens: number },
): TurnkeeperError {
  const sizes = `at least ${atLeast} tokens of prompt and ${maxTokens} of answer do not fit into ${window}`
  return new TurnkeeperError('context_length', `${route}: ${sizes}; shorten the conversation`, { route })
}
