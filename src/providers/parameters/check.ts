import { suggestion } from '../../config/problems.ts'
import { TurnkeeperError } from '../../errors.ts'
import type { ModelParameters } from '../types.ts'
import {
  DEFAULT_MAX_TOKENS,
  PARAMETER_NAMES,
  PARAMETERS,
  type ParameterName,
  type ParameterRule,
} from './rule.ts'
import { parameterTable, type TabledProtocol } from './tables.ts'
import { neutralName } from './vendor-names.ts'

/** What becomes of a parameter that the provider does not have: the request is refused, or goes without it. */
export type UnknownPolicy = 'reject' | 'warn'

export type ParameterSite = {
  readonly protocol: TabledProtocol
  readonly dialect: string
  /** Default `reject`. Wrong types and values out of range are refused either way. */
  readonly unknown?: UnknownPolicy
  /** What stands before the names in messages. Default `parameters`. */
  readonly path?: string
}

export type CheckedParameters = {
  /** `bad_request/invalid_parameter` with one sentence a problem; absent where nothing is wrong. */
  readonly refusal?: TurnkeeperError
  /** The names, with their path, of what is refused; absent where nothing is. */
  readonly refused?: readonly string[]
  /** Names that will not be sent, as they were written. */
  readonly notSent: readonly string[]
}

/** Holds parameters against the table of a protocol and dialect. Pure; takes whatever a caller may have sent. */
export function checkParameters(
  parameters: Readonly<Record<string, unknown>>,
  { protocol, dialect, unknown = 'reject', path = 'parameters' }: ParameterSite,
): CheckedParameters {
  const table = parameterTable(protocol, dialect)
  const notSent: string[] = []
  const refused: string[] = []
  const problems: string[] = []
  for (const name of Object.keys(parameters)) {
    const value = parameters[name]
    if (value === undefined) continue
    const rule = isParameterName(name) ? table[name] : undefined
    if (rule === undefined && unknown === 'warn') notSent.push(name)
    else {
      const problem =
        rule === undefined
          ? nameProblem(name, { protocol, dialect })
          : (valueProblem(rule, value) ?? companyProblem(rule, parameters))
      if (problem === undefined) continue
      refused.push(`${path}.${name}`)
      problems.push(`${path}.${name}: ${problem}`)
    }
  }
  if (problems.length === 0) return { notSent }
  return { refusal: new TurnkeeperError('invalid_parameter', problems.join('\n')), refused, notSent }
}

/** What a rule allows, in words that fit after "expected". */
export function allowedText({ type, min, max, maxItems, values }: ParameterRule): string {
  switch (type) {
    case 'words':
      return `one of ${(values ?? []).join(', ')}`
    case 'boolean':
      return 'true or false'
    case 'texts':
      return maxItems === undefined ? 'a list of texts' : `a list of at most ${maxItems} texts`
    case 'integer':
      return `a whole number${rangeText(min, max)}`
    case 'number':
      return `a number${rangeText(min, max)}`
  }
}

function rangeText(min: number | undefined, max: number | undefined): string {
  const isAny = min === Number.MIN_SAFE_INTEGER
  if (min !== undefined && max !== undefined) return isAny ? '' : ` from ${min} to ${max}`
  return min === undefined ? '' : ` from ${min} up`
}

function isParameterName(name: string): name is ParameterName {
  return Object.hasOwn(PARAMETERS, name)
}

function nameProblem(name: string, { protocol, dialect }: { protocol: string; dialect: string }): string {
  const where = dialect === 'generic' ? protocol : `${protocol} (${dialect})`
  if (isParameterName(name)) {
    return `${where} has no such parameter; leave it out, or set "parameters.unknown: warn" for its provider`
  }
  const meant = neutralName(name)
  if (meant !== undefined) return `unknown parameter, a vendor's name for "${meant}": write that`
  return `unknown parameter${suggestion(name, PARAMETER_NAMES) || ` (known: ${PARAMETER_NAMES.join(', ')})`}`
}

function valueProblem(rule: ParameterRule, value: unknown): string | undefined {
  return isAllowed(rule, value) ? undefined : `expected ${allowedText(rule)}, got ${valueText(value)}`
}

function isAllowed(rule: ParameterRule, value: unknown): boolean {
  const { type, min = -Infinity, max = Infinity, maxItems = Infinity, values } = rule
  switch (type) {
    case 'integer':
      return Number.isSafeInteger(value) && isBetween(value as number, min, max) // an integer, as was just seen
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) && isBetween(value, min, max)
    case 'boolean':
      return typeof value === 'boolean'
    case 'words':
      return typeof value === 'string' && (values?.includes(value) ?? false)
    case 'texts':
      return Array.isArray(value) && value.length <= maxItems && value.every(isText)
  }
}

const isBetween = (value: number, min: number, max: number): boolean => value >= min && value <= max
const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''

/** Parameters that may not come together, and a number that must stay below another. */
function companyProblem(
  { excludes, below }: ParameterRule,
  parameters: ModelParameters & Readonly<Record<string, unknown>>,
): string | undefined {
  const other = excludes?.find((name) => parameters[name] !== undefined)
  if (other !== undefined) return `not together with "${other}": leave one of them out`
  if (below === undefined) return undefined
  const { [below.name]: own, [below.limit]: limit = DEFAULT_MAX_TOKENS } = parameters
  if (typeof own !== 'number' || typeof limit !== 'number' || own < limit) return undefined
  return `expected less than "${below.limit}" (${limit}), got ${own}`
}

/** Long text is cut: it may be somebody's content. */
function valueText(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'an object'
  if (typeof value !== 'string') return String(value)
  return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
}
