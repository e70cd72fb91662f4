/**
 * Who asks, and what that key may do.
 *
 * A1. Without configured keys everybody may do everything; the server is reached from this machine alone then.
 * A2. With keys, a request without a known one is refused, but for the paths of `server.anonymous`.
 * A3. A key is compared by its hash, with all that are known, in a time that tells nothing.
 * A4. A turn belongs to the tenant of the key that enqueued it; to other tenants' keys, but for admins, it is not there.
 */

import { createHash, timingSafeEqual } from 'node:crypto'
import type { ApiKeyConfig, Config } from '../config/config.ts'
import { excludedBy } from '../config/patterns.ts'
import { TurnkeeperError } from '../errors.ts'
import type { EnqueueOptions } from '../queue/client/client.ts'
import { tenantOfTurn } from '../redis/keys.ts'

export type Caller = {
  /** Undefined without keys, and on a path that needs none. */
  readonly key?: ApiKeyConfig
  /** Stands in the audit. */
  readonly by: string
  readonly isAdmin: boolean
  /** Why the caller may not ask for `model`, in words; undefined where it may. */
  refusalOf(model: string): string | undefined
  /** @throws TurnkeeperError `turn/unknown_turn` for a turn of another tenant. */
  requireTurn(turnId: string): void
  /** @throws TurnkeeperError `auth/forbidden` where that is for admins. */
  requireAdmin(): void
  /**
   * The options of a turn as the caller may have them: with its own tenant, and the key as its segment.
   * @throws TurnkeeperError `auth/forbidden` for another tenant, or a model that is not the caller's.
   */
  claim<Options extends Pick<EnqueueOptions, 'tenant' | 'segment' | 'model'>>(options: Options): Options
}

export type CallerHeaders = {
  readonly authorization?: string | undefined
  readonly 'x-api-key'?: string | readonly string[] | undefined
}

/** Somebody whom no key restricts: everyone where there are none (A1). */
const ANYBODY: Caller = {
  by: 'http',
  isAdmin: true,
  refusalOf: () => undefined,
  requireTurn: () => {},
  requireAdmin: () => {},
  claim: (options) => options,
}

/** Somebody on a path that needs no key (A2): may read what stands there, and no more. */
const NOBODY: Caller = { ...ANYBODY, by: 'anonymous', isAdmin: false }

/** Has a token of its own, which is no key. */
const ALERTS_PATH = '/v1/mitigations'

/** Paths that `server.anonymous` may name. */
const PATH_OF = { health: '/health', routes: '/v1/routes' } as const

/** From the headers of a request for `path` (as it is registered) to who asks. `isAlias` is asked at each request. */
export function callersOf(
  { apiKeys, anonymous }: Config['server'],
  isAlias: (model: string) => boolean,
): (headers: CallerHeaders, path: string | undefined) => Caller {
  const known = apiKeys.map((key) => ({
    digest: Buffer.from(key.sha256, 'hex'),
    caller: keyToCaller(key, isAlias),
  }))
  const open = new Set<string | undefined>(anonymous.map((name) => PATH_OF[name]))
  return (headers, path) => {
    if (known.length === 0) return ANYBODY
    if (path === ALERTS_PATH) return NOBODY
    const token = tokenIn(headers)
    if (token === undefined && open.has(path)) return NOBODY
    const digest = createHash('sha256')
      .update(token ?? '')
      .digest()
    const found = known.filter((key) => timingSafeEqual(key.digest, digest)) // A3: all of them, whichever fits
    if (token !== undefined && found[0] !== undefined) return found[0].caller
    throw new TurnkeeperError(
      'invalid_key',
      'expected a key of this server: "Authorization: Bearer <key>", or "x-api-key: <key>"',
    )
  }
}

function keyToCaller(key: ApiKeyConfig, isAlias: (model: string) => boolean): Caller {
  const { id, tenant, admin } = key
  const refusalOf = (model: string): string | undefined => refusal(key, model, isAlias)
  return {
    key,
    by: `key ${id}`,
    isAdmin: admin,
    refusalOf,
    requireTurn(turnId) {
      if (admin || tenantOfTurn(turnId) === (tenant ?? 'default')) return
      throw new TurnkeeperError('unknown_turn', `no turn ${turnId} is kept`) // A4, in the words of one that is not
    },
    requireAdmin() {
      if (!admin) throw new TurnkeeperError('forbidden', `the key ${id} is not one of an admin`)
    },
    claim(options) {
      if (options.tenant !== undefined && options.tenant !== tenant && !admin) {
        throw new TurnkeeperError('forbidden', `the key ${id} is not of that tenant: leave "tenant" out`)
      }
      const { model } = options
      const why = typeof model === 'string' ? refusalOf(model) : undefined // what is no text is refused later
      if (why !== undefined) throw new TurnkeeperError('forbidden', `model: ${why}`)
      const own = options.tenant ?? tenant
      const segment = admin ? (options.segment ?? id) : id
      return { ...options, segment, ...(own !== undefined && { tenant: own }) }
    },
  }
}

/** Patterns are over the name as it is asked for; a prefix is asked of all names but aliases. */
function refusal(
  { id, prefixes, models }: ApiKeyConfig,
  model: string,
  isAlias: (model: string) => boolean,
): string | undefined {
  if (excludedBy({ include: models, exclude: [] }, model) !== undefined) {
    return `the key ${id} is not for that model (its models: ${models.join(', ')})`
  }
  if (prefixes === undefined || isAlias(model)) return undefined
  if (model.includes('/') && prefixes.includes(model.slice(0, model.indexOf('/')))) return undefined
  return `the key ${id} is not for models without one of its prefixes (${prefixes.join(', ') || 'none'}) and a slash`
}

function tokenIn({ authorization, 'x-api-key': given }: CallerHeaders): string | undefined {
  const bearer = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1]
  return bearer ?? (typeof given === 'string' && given !== '' ? given : undefined)
}
