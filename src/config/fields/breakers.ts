import type { BreakerConfig } from '../config.ts'
import { DEFAULTS } from '../defaults.ts'
import { section } from './mappings.ts'
import { duration, share, whole } from './scalars.ts'

const NOT_SHORTER = { error: '"max" not to be shorter than "open"' }

/** A rule on the number of failures within a window. */
const counted = (defaults: BreakerConfig) =>
  section({
    over: whole(0).default(defaults.over),
    window: duration.default(defaults.windowMs),
    open: duration.default(defaults.openMs),
    max: duration.default(defaults.maxMs),
    minRatio: share.default(defaults.minRatio),
  })
    .transform(({ window, open, max, ...rest }) => ({ ...rest, windowMs: window, openMs: open, maxMs: max }))
    .refine(({ openMs, maxMs }) => openMs <= maxMs, NOT_SHORTER)

const errors = section({
  ratio: share.default(DEFAULTS.breakers.errors.ratio),
  min: whole(1).default(DEFAULTS.breakers.errors.min),
  window: duration.default(DEFAULTS.breakers.errors.windowMs),
  open: duration.default(DEFAULTS.breakers.errors.openMs),
  max: duration.default(DEFAULTS.breakers.errors.maxMs),
  warn: share.default(DEFAULTS.breakers.errors.warn),
})
  .transform(({ window, open, max, ...rest }) => ({ ...rest, windowMs: window, openMs: open, maxMs: max }))
  .refine(({ openMs, maxMs }) => openMs <= maxMs, NOT_SHORTER)
  .refine(({ warn, ratio }) => warn <= ratio, { error: '"warn" not to be over "ratio"' })

const auth = section({
  over: whole(0).default(DEFAULTS.breakers.auth.over),
  window: duration.default(DEFAULTS.breakers.auth.windowMs),
}).transform(({ over, window }) => ({ over, windowMs: window }))

/** The section `breakers`: when routes and credentials open. */
export const breakersSchema = section({
  html: counted(DEFAULTS.breakers.html),
  stall: counted(DEFAULTS.breakers.stall),
  errors,
  auth,
})
