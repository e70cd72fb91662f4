import { DEFAULTS } from '../defaults.ts'
import { section } from './mappings.ts'
import { duration, flag, usd } from './scalars.ts'

/** The section `probes`: how it is tried out in which ways routes can be asked. */
export const probesSchema = section({
  enabled: flag.default(DEFAULTS.probes.enabled),
  ttl: duration
    .refine((ttlMs) => ttlMs >= 1000, { error: 'a duration of 1s or more' })
    .default(DEFAULTS.probes.ttlMs),
  budgetUsdPerDay: usd.default(DEFAULTS.probes.budgetUsdPerDay),
}).transform(({ ttl, ...rest }) => ({ ...rest, ttlMs: ttl }))
