/**
 * The credentials of all providers: which of them serves an attempt, and what its answer means for it.
 *
 * usable ──429──▶ resting (cooldown) ──time over──▶ usable
 *    └──refused, over the rule──▶ open ──model list answers, or the key changes──▶ usable
 *
 * C1. A credential is chosen at random by its weight, less by what it has under way and by its quota pressure.
 * C2. A 429 is a rest of the credential for what the upstream asks, at most `cooldown.max`; it says nothing of the route.
 * C3. A refused OAuth token is renewed once before the refusal counts.
 * C4. What a credential does is decided from memory; what happens to it is told to Redis in the background.
 */

import type { Config, CredentialConfig, OAuthConfig } from '../../../config/config.ts'
import type { Reason } from '../../../errors.ts'
import type { AttemptReport } from '../../upstream.ts'
import type { Refusal } from '../breaker/health.ts'
import type { RouteHealth } from '../breaker/mirror.ts'
import { isRefusal } from '../breaker/rules.ts'
import { type HealthState, isUsable } from '../breaker/states.ts'
import { credentialSubject } from '../breaker/subjects.ts'
import { createDecayingCount, type DecayingCount } from '../measures/decaying-count.ts'
import type { TokenSource } from './oauth.ts'

/** How the credentials of a provider stand. */
export type Standing =
  /** It needs none. */
  | { readonly kind: 'keyless' }
  | { readonly kind: 'usable' }
  /** None may be used; the first may again in so many milliseconds. */
  | { readonly kind: 'unusable'; readonly inMs: number; readonly why: string }

const KEYLESS: Standing = { kind: 'keyless' }
const USABLE: Standing = { kind: 'usable' }

/** A credential in use by one attempt. */
export type TakenCredential = {
  readonly id: string
  /** The key or token to send; a promise, which may reject, where a token file has to be read. */
  token(): string | Promise<string>
  /**
   * The attempt is over. `renewed`: its token was refused, and there is a new one; a promise only of a refused token
   * that can be renewed.
   */
  settle(report: Settled, route: { readonly generation: number }): Promise<'renewed' | undefined> | undefined
}

/** What a credential learns from. */
type Settled = Pick<AttemptReport, 'route' | 'outcome' | 'error'>

export type CredentialStatus = {
  readonly provider: string
  readonly id: string
  readonly state: HealthState
  readonly coolingForMs: number | undefined
  /** 0 to 1: the share of 429s among its recent answers. */
  readonly quotaPressure: number
}

export type Credentials = {
  /** Without those in `except`. */
  standing(provider: string, except?: ReadonlySet<string>): Standing
  /** One to try; with `lastResort` even one that rests or is open. Undefined if the provider needs none or has none. */
  take(provider: string, options?: TakeOptions): TakenCredential | undefined
  /** The key or token that is the best to use now, for a probe. Undefined if the provider has none. */
  bestToken(provider: string): Promise<string | undefined>
  statuses(): readonly CredentialStatus[]
  /** The key or token of the credential with that breaker. */
  tokenOf(subject: string): Promise<string>
}

export type TakeOptions = { readonly except?: ReadonlySet<string>; readonly lastResort?: boolean }

/** What is told of credentials, and asked. */
export type CredentialHealth = {
  view(subject: string): RouteHealth
  report(subject: string, generation: number, failure?: Reason): void
  refused(refusal: Refusal): void
  cool(subject: string, forMs: number): void
}

export type CredentialsOptions = {
  readonly providers: Config['providers']
  readonly cooldown: Config['routing']['cooldown']
  readonly health: CredentialHealth
  /** Of credentials with a token file. */
  readonly tokensOf: (
    subject: string,
    credential: CredentialConfig & { readonly oauth: OAuthConfig },
  ) => TokenSource
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** 0 to 1. */
  readonly random: () => number
}

type Entry = {
  readonly provider: string
  readonly config: CredentialConfig
  readonly subject: string
  readonly tokens: TokenSource
  underWay: number
  readonly limited: DecayingCount
  readonly served: DecayingCount
}

const HALF_LIFE_MS = 5 * 60_000
/** So that one 429 of a quiet credential is not all of it. */
const PRIOR = 2

/** The credentials of a configuration. */
export function createCredentials(options: CredentialsOptions): Credentials {
  const { providers, health, random } = options
  const byProvider = new Map(
    Object.values(providers)
      .filter(({ enabled }) => enabled)
      .map(({ name, credentials }) => [
        name,
        credentials.map((credential) => createEntry(name, credential, options)),
      ]),
  )
  const all = [...byProvider.values()].flat()
  const isReady = ({ subject }: Entry): boolean => {
    const { state, coolingForMs } = health.view(subject)
    return isUsable(state) && coolingForMs === undefined
  }
  const among = (provider: string, except?: ReadonlySet<string>): readonly Entry[] => {
    const own = byProvider.get(provider) ?? []
    return except === undefined ? own : own.filter(({ config }) => !except.has(config.id))
  }
  const waitOf = ({ subject }: Entry): number => {
    const { coolingForMs = 0, nextProbeInMs = 0 } = health.view(subject)
    return Math.max(coolingForMs, nextProbeInMs)
  }

  return {
    standing(provider, except) {
      if ((byProvider.get(provider)?.length ?? 0) === 0) return KEYLESS
      const own = among(provider, except)
      if (own.some(isReady)) return USABLE
      const inMs = Math.min(...own.map(waitOf))
      return { kind: 'unusable', inMs, why: own.map((entry) => whyNot(entry, health)).join(', ') }
    },
    take(provider, { except, lastResort = false } = {}) {
      const own = among(provider, except)
      const [only] = own
      if (own.length === 1 && only !== undefined && isReady(only)) return takeEntry(only, options)
      const ready = own.filter(isReady)
      const entry =
        ready.length > 0
          ? pickOne(ready, random)
          : lastResort
            ? own.toSorted((a, b) => waitOf(a) - waitOf(b))[0]
            : undefined
      return entry && takeEntry(entry, options)
    },
    bestToken: async (provider) => {
      const own = among(provider)
      const entry = own.find(isReady) ?? own.toSorted((a, b) => waitOf(a) - waitOf(b))[0]
      return entry?.tokens.token()
    },
    statuses: () =>
      all.map((entry) => {
        const { state, coolingForMs } = health.view(entry.subject)
        const { provider, config } = entry
        return { provider, id: config.id, state, coolingForMs, quotaPressure: pressureOf(entry) }
      }),
    tokenOf: async (subject) => (await all.find((entry) => entry.subject === subject)?.tokens.token()) ?? '',
  }
}

/** How the credentials of each provider stand by what is known of their breakers, for a process that uses none. */
export function standingsOf(
  providers: Config['providers'],
  view: (subject: string) => RouteHealth,
): Pick<Credentials, 'standing'> {
  const ignore = (): void => {}
  const none = async (): Promise<string> => ''
  return createCredentials({
    providers,
    cooldown: { defaultMs: 0, maxMs: 0 },
    health: { view, report: ignore, refused: ignore, cool: ignore },
    tokensOf: () => ({ token: none, renew: none }),
    now: () => 0,
    random: () => 0,
  })
}

function createEntry(
  provider: string,
  config: CredentialConfig,
  { tokensOf, now }: CredentialsOptions,
): Entry {
  const subject = credentialSubject(provider, config)
  const count = (): DecayingCount => createDecayingCount({ halfLifeMs: HALF_LIFE_MS, now })
  const tokens = 'oauth' in config ? tokensOf(subject, config) : keyAsTokens(config.apiKey.reveal())
  return { provider, config, subject, tokens, underWay: 0, limited: count(), served: count() }
}

function keyAsTokens(key: string): TokenSource {
  return { token: () => key, renew: async () => key }
}

function takeEntry(entry: Entry, { health, cooldown }: CredentialsOptions): TakenCredential {
  const { config, subject, tokens, provider } = entry
  let sent = ''
  entry.underWay++
  return {
    id: config.id,
    token() {
      const token = tokens.token()
      if (typeof token === 'string') {
        sent = token
        return token
      }
      return token.then((read) => {
        sent = read
        return read
      })
    },
    settle({ error, outcome, route }, { generation }) {
      entry.underWay--
      const own = health.view(subject)
      if (outcome === 'ok') {
        entry.served.add()
        // Its rule counts refusals alone: a closed credential has no use for good news.
        if (own.state !== 'closed') health.report(subject, own.generation)
        return undefined
      }
      if (error === undefined || outcome === 'cancelled') return undefined
      const { reason, category, retryAfterMs = cooldown.defaultMs } = error
      if (category === 'rate_limit') {
        entry.limited.add()
        health.cool(subject, Math.min(Math.max(retryAfterMs, 1000), cooldown.maxMs)) // C2
      }
      if (!isRefusal(reason)) return undefined
      const refuse = (): void => health.refused({ provider, credential: subject, route, generation, reason })
      if ('oauth' in config) return renewOr(tokens, sent, refuse)
      refuse()
      return undefined
    },
  }
}

/** C3. */
async function renewOr(
  tokens: TokenSource,
  sent: string,
  refuse: () => void,
): Promise<'renewed' | undefined> {
  const next = await tokens.renew(sent).catch(() => sent)
  if (next !== sent) return 'renewed'
  refuse()
  return undefined
}

/** C1. */
function pickOne(entries: readonly Entry[], random: () => number): Entry | undefined {
  const pulls = entries.map((entry) => (entry.config.weight * (1 - pressureOf(entry))) / (1 + entry.underWay))
  let point = random() * pulls.reduce((sum, pull) => sum + pull, 0)
  return (
    entries.find((_entry, i) => {
      point -= pulls[i]! // one an entry
      return point < 0
    }) ?? entries.at(-1)
  )
}

function pressureOf({ limited, served }: Entry): number {
  return limited.value() / (limited.value() + served.value() + PRIOR)
}

function whyNot({ config, subject }: Entry, health: Pick<CredentialHealth, 'view'>): string {
  const { coolingForMs, state } = health.view(subject)
  return coolingForMs === undefined
    ? `${config.id} is ${state}`
    : `${config.id} rests for ${Math.ceil(coolingForMs / 1000)} s`
}
