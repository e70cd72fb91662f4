import type { JsonObject } from '../../narrow.ts'
import type { ModelParameters } from '../../types.ts'

/** Neutral parameters by the wire names of one protocol. */
export type ParameterNames = Readonly<Record<string, keyof ModelParameters>>

/** The parameters of a request body; a single stop text becomes a list. Values are as the client wrote them. */
export function neutralParameters(body: JsonObject, names: ParameterNames): ModelParameters {
  const found = Object.entries(names).flatMap(([wire, neutral]): [string, unknown][] => {
    const value = body[wire]
    if (value === undefined || value === null) return []
    return [[neutral, neutral === 'stop' && typeof value === 'string' ? [value] : value]]
  })
  // Types and ranges are checked before sending, as for every request.
  return Object.fromEntries(found) as ModelParameters
}
