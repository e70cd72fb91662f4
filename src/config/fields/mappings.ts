import * as z from 'zod'
import { NAME, NAME_RULE } from './scalars.ts'

/**
 * An object with exactly these keys; nothing (an empty key in YAML) counts as `{}`. The message of an
 * `unrecognized_keys` issue is the list of known keys, for `problems.ts` to find the nearest.
 */
export const section = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.preprocess(
    (value) => value ?? {},
    z.strictObject(shape, {
      error: ({ code }) => (code === 'unrecognized_keys' ? Object.keys(shape).join(' ') : 'a mapping'),
    }),
  )

/** An object whose keys the user chooses; nothing counts as `{}`. */
export const byName = <Value extends z.ZodType>(
  value: Value,
  { rule = NAME, error = NAME_RULE }: { rule?: RegExp; error?: string } = {},
) =>
  z.preprocess(
    (given) => given ?? {},
    z.record(z.string().regex(rule, { error }), value, {
      error: ({ code }) => (code === 'invalid_key' ? error : 'a mapping'),
    }),
  )
