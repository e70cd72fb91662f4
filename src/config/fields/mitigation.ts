import { DEFAULTS } from '../defaults.ts'
import { section } from './mappings.ts'
import { duration, share, text, whole } from './scalars.ts'

const { mitigation: defaults } = DEFAULTS

/** The section `mitigation` of an alias; that its fallback is a good one, `routes.ts` sees. */
export const mitigationSchema = section({
  fallback: text('the alias to move to'),
  warn: share.default(defaults.warn),
  critical: share.default(defaults.critical),
  window: duration.default(defaults.windowMs),
  minAttempts: whole(1).default(defaults.minAttempts),
  hold: duration.default(defaults.holdMs),
})
  .transform(({ window, hold, ...rest }) => ({ ...rest, windowMs: window, holdMs: hold }))
  .refine(({ warn, critical }) => warn <= critical, { error: '"warn" not to be over "critical"' })
