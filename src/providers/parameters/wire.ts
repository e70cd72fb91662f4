import { asObject } from '../narrow.ts'
import type { ModelParameters } from '../types.ts'
import { DEFAULT_MAX_TOKENS, PARAMETER_NAMES, type ParameterName, type ParameterRule } from './rule.ts'
import { parameterTable, type TabledProtocol } from './tables.ts'

export type WireParameters = {
  /** Fields of the request body by their wire names, nested as the vendor wants them. */
  readonly wire: Readonly<Record<string, unknown>>
  /** Neutral parameters that this vendor does not have; empty after a check that refuses them. */
  readonly notSent: readonly ParameterName[]
}

export type WireOptions = {
  /** Whether the request has tools; without them the parameters about tools are left out. Default true. */
  readonly hasTools?: boolean
}

/**
 * Neutral parameters in the words of a protocol and dialect. Pure; expects values that `checkParameters` has passed.
 * `maxTokens` is always there. Nested names (`options.num_predict`) come as nested objects: see `withParameters`.
 */
export function wireParameters(
  protocol: TabledProtocol,
  dialect: string | undefined,
  parameters: ModelParameters,
  { hasTools = true }: WireOptions = {},
): WireParameters {
  const table = parameterTable(protocol, dialect)
  const wire: Record<string, unknown> = {}
  const notSent: ParameterName[] = []
  for (const name of PARAMETER_NAMES) {
    const rule = table[name]
    const value = parameters[name] ?? (rule?.required ? DEFAULT_MAX_TOKENS : undefined)
    if (value === undefined) continue
    if (rule === undefined) notSent.push(name)
    else if (hasTools || rule.onlyWithTools === undefined) put(wire, rule, value)
  }
  return { wire, notSent }
}

/** A request body with the parameters in it; where both set a field of one object, that of the body stays. */
export function withParameters(
  body: Readonly<Record<string, unknown>>,
  wire: WireParameters['wire'],
): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...wire, ...body }
  for (const name of Object.keys(wire)) {
    const own = asObject(body[name])
    const parameters = own && asObject(wire[name])
    if (parameters) merged[name] = { ...parameters, ...own }
  }
  return merged
}

function put(wire: Record<string, unknown>, rule: ParameterRule, value: unknown): void {
  setAt(wire, rule.wire, toWireValue(rule, value))
  if (rule.beside === undefined) return
  for (const [path, constant] of Object.entries(rule.beside)) setAt(wire, path, constant)
}

function toWireValue({ inverted, spelling }: ParameterRule, value: unknown): unknown {
  if (inverted) return !value
  return typeof value === 'string' ? (spelling?.[value] ?? value) : value
}

/** Paths come from our tables alone. */
function setAt(target: Record<string, unknown>, path: string, value: unknown): void {
  if (!path.includes('.')) {
    target[path] = value
    return
  }
  const steps = path.split('.')
  const last = steps.pop()!
  let object = target
  for (const step of steps) {
    object[step] ??= {}
    object = object[step] as Record<string, unknown> // made by this function
  }
  object[last] = value
}
