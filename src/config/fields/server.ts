import * as z from 'zod'
import { DEFAULTS } from '../defaults.ts'
import { section } from './mappings.ts'
import { flag, isLoopback, name, oneOf, optionalSecret, text, usd, whole } from './scalars.ts'

const SHA256 = 'the SHA-256 of the key in 64 hexadecimal digits (printf %s "$KEY" | sha256sum)'

const TENANT = 'a tenant of 1 to 128 letters, digits or ._:@+=-'

const MODELS = 'a list of patterns over names of models, such as "*"'

const apiKey = section({
  id: name,
  sha256: z
    .string({ error: SHA256 })
    .regex(/^[0-9a-f]{64}$/i, { error: SHA256 })
    .transform((hex) => hex.toLowerCase()),
  tenant: z
    .string({ error: TENANT })
    .regex(/^[A-Za-z0-9._:@+=-]{1,128}$/, { error: TENANT })
    .optional(),
  prefixes: z.array(name, { error: 'a list of prefixes or names of providers' }).optional(),
  models: z
    .array(text('a pattern over names of models, such as "*"'), { error: MODELS })
    .nullish()
    .transform((list) => list ?? [...DEFAULTS.server.apiKey.models]),
  admin: flag.default(DEFAULTS.server.apiKey.admin),
  requestsPerMinute: whole(1, 1_000_000).optional(),
  budgetUsdPerDay: usd.optional(),
}).transform(({ tenant, prefixes, requestsPerMinute, budgetUsdPerDay, ...rest }) => ({
  ...rest,
  ...(requestsPerMinute !== undefined && { requestsPerMinute }),
  ...(budgetUsdPerDay !== undefined && { budgetUsdPerDay }),
  ...(tenant !== undefined && { tenant }),
  ...(prefixes !== undefined && { prefixes }),
}))

const areDifferent = (list: readonly string[]): boolean => new Set(list).size === list.length

/** The HTTP face: where it listens and who may ask it what. */
export const serverSchema = section({
  host: text('a host name or address').default(DEFAULTS.server.host),
  port: whole(0, 65_535).default(DEFAULTS.server.port),
  anonymous: z
    .array(oneOf('health', 'routes'), { error: 'a list of health, routes' })
    .nullish()
    .transform((list) => list ?? [...DEFAULTS.server.anonymous]),
  apiKeys: z
    .array(apiKey, { error: 'a list of { id, sha256 }' })
    .refine((keys) => areDifferent(keys.map(({ id }) => id)), { error: 'keys with different ids' })
    .refine((keys) => areDifferent(keys.map(({ sha256 }) => sha256)), {
      error: 'keys that differ: one stands there twice',
    })
    .nullish()
    .transform((list) => list ?? []),
  alertToken: optionalSecret,
})
  .check((context) => {
    const { host, apiKeys } = context.value
    if (isLoopback(host) || apiKeys.length > 0) return
    const message = 'a loopback address (without server.apiKeys nothing outside may reach the server)'
    context.issues.push({ code: 'custom', path: ['host'], message, input: host })
  })
  .transform(({ alertToken, ...rest }) => ({ ...rest, ...(alertToken !== undefined && { alertToken }) }))
