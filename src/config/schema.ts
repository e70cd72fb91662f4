/**
 * What a configuration may contain. A key that does nothing yet is not here, so it is refused as unknown.
 * Keys of the file carry no unit (`idle: 30s`); what comes out does (`idleMs`).
 */

import * as z from 'zod'
import type { RouteConfig, TenantLimits, TenantsConfig, WeightedRoute } from './config.ts'
import { DEFAULTS, LOG_LEVELS } from './defaults.ts'
import { breakersSchema } from './fields/breakers.ts'
import { byName, section } from './fields/mappings.ts'
import { mitigationSchema } from './fields/mitigation.ts'
import { probesSchema } from './fields/probes.ts'
import { providerSchema } from './fields/provider.ts'
import { duration, flag, name, oneOf, optionalText, share, text, whole } from './fields/scalars.ts'
import { serverSchema } from './fields/server.ts'

/** An alias may contain slashes and colons, as model names do; it is one word. */
const ALIAS = { rule: /^[A-Za-z0-9][A-Za-z0-9_.:/-]*$/, error: 'an alias without spaces' }

const redis = section({
  url: optionalText.refine(
    (url) => url === undefined || /^(?:rediss?(?:\+cluster|\+sentinel)?:\/\/.|unix:\/\/\/.)/.test(url),
    {
      error:
        'redis://…, rediss://…, redis+cluster://…, redis+sentinel://…, unix:///path/of/a/socket, or nothing for an embedded server',
    },
  ),
  prefix: name.default(DEFAULTS.redis.prefix),
  durability: oneOf('aof', 'always', 'none').default(DEFAULTS.redis.durability),
  replicas: whole(0, 16).default(DEFAULTS.redis.replicas),
  dataDir: text('a path').default(DEFAULTS.redis.dataDir),
})
  .transform(({ url, ...rest }) => ({ ...rest, ...(url !== undefined && { url }) }))
  .refine(({ durability, replicas }) => replicas === 0 || durability === 'always', {
    error: '"durability: always" beside "replicas": nothing waits for them otherwise',
  })

const metrics = section({
  host: text('a host name or address').default(DEFAULTS.metrics.host),
  port: whole(0, 65_535).optional(),
}).transform(({ host, port }) => ({
  host,
  port: port ?? DEFAULTS.metrics.port,
  explicit: port !== undefined,
}))

const ROUTE = 'a route written provider/model'

const route = z
  .string({ error: ROUTE })
  .regex(/^[^/\s]+\/\S+$/, { error: ROUTE })
  .transform(routeFromName)

const routeWithWeight = section({ route, weight: whole(1, 1000).optional() }).transform(
  ({ route: named, weight }) => ({ ...named, ...(weight !== undefined && { weight }) }),
)

/** Text, or a mapping: a union would tell only that neither fits. */
const weightedRoute = z.unknown().transform((value, context): WeightedRoute => {
  const isMapping = typeof value === 'object' && value !== null
  const result = isMapping ? routeWithWeight.safeParse(value) : route.safeParse(value)
  if (result.success) return result.data
  // zod types an issue by the value that it had; here only what it says is passed on.
  for (const issue of result.error.issues) context.issues.push({ ...issue, input: value } as never)
  return z.NEVER
})

const alias = section({
  strategy: oneOf('first_available', 'first_healthy', 'best_effort', 'cheapest', 'fastest').default(
    DEFAULTS.strategy,
  ),
  routes: z
    .array(weightedRoute, { error: 'a list of routes written provider/model' })
    .min(1, { error: 'at least one route written provider/model' }),
  mitigation: mitigationSchema.optional(),
}).transform(({ mitigation, ...rest }) => ({ ...rest, ...(mitigation !== undefined && { mitigation }) }))

const routing = section({
  forceModelPrefix: flag.default(DEFAULTS.routing.forceModelPrefix),
  retries: whole(0, 10).default(DEFAULTS.routing.retries),
  maxAttempts: whole(1, 100).default(DEFAULTS.routing.maxAttempts),
  backoff: section({
    base: duration.default(DEFAULTS.routing.backoff.baseMs),
    max: duration.default(DEFAULTS.routing.backoff.maxMs),
  })
    .transform(({ base, max }) => ({ baseMs: base, maxMs: max }))
    .refine(({ baseMs, maxMs }) => baseMs <= maxMs, { error: '"max" not to be shorter than "base"' }),
  retryBudget: share.default(DEFAULTS.routing.retryBudget),
  cooldown: section({
    default: duration.default(DEFAULTS.routing.cooldown.defaultMs),
    max: duration.default(DEFAULTS.routing.cooldown.maxMs),
  })
    .transform(({ default: defaultMs, max }) => ({ defaultMs, maxMs: max }))
    .refine(({ defaultMs, maxMs }) => defaultMs <= maxMs, {
      error: '"max" not to be shorter than "default"',
    }),
})

const tenants = byName(
  section({
    running: whole(1).optional(),
    queued: whole(0).optional(),
  }),
).transform(({ default: given = {}, ...named }): TenantsConfig => {
  // Without a prototype, as the names that callers send are looked up here.
  const result: { default: TenantLimits } & Record<string, TenantLimits> = Object.assign(
    Object.create(null),
    {
      default: limitsOver(given, DEFAULTS.queue.tenant),
    },
  )
  for (const [tenant, limits] of Object.entries(named)) result[tenant] = limitsOver(limits, result.default)
  return result
})

const queue = section({
  name: name.default(DEFAULTS.queue.name),
  concurrency: whole(1, 10_000).default(DEFAULTS.queue.concurrency),
  lock: duration.default(DEFAULTS.queue.lockMs),
  stalledCheck: duration.default(DEFAULTS.queue.stalledCheckMs),
  maxQueueAge: duration.default(DEFAULTS.queue.maxQueueAgeMs),
  resultTtl: duration.default(DEFAULTS.queue.resultTtlMs),
  eventTtl: duration.default(DEFAULTS.queue.eventTtlMs),
  tenants,
}).transform(({ lock, stalledCheck, maxQueueAge, resultTtl, eventTtl, ...rest }) => ({
  ...rest,
  lockMs: lock,
  stalledCheckMs: stalledCheck,
  maxQueueAgeMs: maxQueueAge,
  resultTtlMs: resultTtl,
  eventTtlMs: eventTtl,
}))

const recorder = section({
  dir: text('a path').default(DEFAULTS.recorder.dir),
  excerptBytes: whole(0, 1_048_576).default(DEFAULTS.recorder.excerptBytes),
  rawBytes: whole(0, 16_777_216).default(DEFAULTS.recorder.rawBytes),
  keep: duration.default(DEFAULTS.recorder.keepMs),
  sample: share.default(DEFAULTS.recorder.sample),
  request: oneOf('never', 'failed').default(DEFAULTS.recorder.request),
}).transform(({ keep, ...rest }) => ({ ...rest, keepMs: keep }))

const telemetry = section({
  otlpEndpoint: optionalText
    .refine((url) => url === undefined || /^https?:\/\/[^\s/]/.test(url), {
      error: 'an http or https URL, or nothing for no traces',
    })
    .transform((url) => url?.replace(/\/+$/, '')),
  otlpMetrics: flag.default(DEFAULTS.telemetry.otlpMetrics),
  sampling: share.default(DEFAULTS.telemetry.sampling),
  captureContent: flag.default(DEFAULTS.telemetry.captureContent),
  logLevel: oneOf(...LOG_LEVELS).default(DEFAULTS.telemetry.logLevel),
  jsonl: optionalText,
}).transform(({ otlpEndpoint, jsonl, ...rest }) => ({
  ...rest,
  ...(jsonl !== undefined && { jsonl }),
  ...(otlpEndpoint !== undefined && { otlpEndpoint }),
}))

/** The whole configuration, variables already replaced. */
export const configSchema = section({
  redis,
  server: serverSchema,
  metrics,
  providers: byName(providerSchema),
  models: byName(alias, ALIAS),
  breakers: breakersSchema,
  routing,
  probes: probesSchema,
  queue,
  recorder,
  telemetry,
  agents: optionalText,
})

/** A route from its name: the provider ends at the first slash, the model may contain more of them. */
export function routeFromName(routeName: string): RouteConfig {
  const slash = routeName.indexOf('/')
  return { name: routeName, provider: routeName.slice(0, slash), model: routeName.slice(slash + 1) }
}

/** What is not set for a tenant is as in `base`. */
function limitsOver(
  { running, queued }: { readonly running?: number | undefined; readonly queued?: number | undefined },
  base: TenantLimits,
): TenantLimits {
  return { running: running ?? base.running, queued: queued ?? base.queued }
}
