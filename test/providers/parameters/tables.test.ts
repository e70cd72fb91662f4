/** Every protocol × dialect × parameter: accepted, translated or refused, as the tables say. */

import { describe, expect, test } from 'vitest'
import { checkParameters } from '../../../src/providers/parameters/check.ts'
import {
  PARAMETER_NAMES,
  type ParameterName,
  type ParameterRule,
} from '../../../src/providers/parameters/rule.ts'
import {
  PARAMETER_TABLES,
  parameterTable,
  type TabledProtocol,
} from '../../../src/providers/parameters/tables.ts'
import { wireParameters } from '../../../src/providers/parameters/wire.ts'

type Site = { readonly protocol: TabledProtocol; readonly dialect: string }

const SITES: readonly Site[] = Object.entries(PARAMETER_TABLES).flatMap(([protocol, dialects]) =>
  Object.keys(dialects).map((dialect) => ({ protocol: protocol as TabledProtocol, dialect })),
)
const CELLS = SITES.flatMap((site) =>
  PARAMETER_NAMES.map((name) => ({ ...site, name, rule: parameterTable(site.protocol, site.dialect)[name] })),
)
const SUPPORTED = CELLS.flatMap(({ rule, ...cell }) => (rule === undefined ? [] : [{ ...cell, rule }]))
const UNSUPPORTED = CELLS.filter(({ rule }) => rule === undefined)

test('five protocols and ten dialects have a table', () => {
  expect(Object.keys(PARAMETER_TABLES)).toHaveLength(5)
  expect(Object.keys(PARAMETER_TABLES['openai-chat'])).toHaveLength(10)
  expect(CELLS).toHaveLength(14 * PARAMETER_NAMES.length)
})

describe.each(SUPPORTED)('$protocol ($dialect) $name', ({ name, rule, ...site }) => {
  test('is accepted and sent under its wire name', () => {
    for (const value of goodValues(rule)) {
      const parameters = { ...company(rule), [name]: value }
      expect(checkParameters(parameters, site)).toEqual({ notSent: [] })
      const { wire, notSent } = wireParameters(site.protocol, site.dialect, parameters)
      expect(notSent).toEqual([])
      expect(at(wire, rule.wire)).toEqual(onTheWire(rule, value))
    }
  })

  test('is refused with its path, its value and what is allowed', () => {
    for (const value of badValues(rule)) {
      const { refusal } = checkParameters({ [name]: value }, site)
      expect(refusal?.code).toBe('bad_request/invalid_parameter')
      expect(refusal?.message).toMatch(new RegExp(`^parameters\\.${name}: expected .+, got .+`))
    }
  })
})

describe.each(UNSUPPORTED)('$protocol ($dialect) $name', ({ name, ...site }) => {
  const value = { [name]: goodValues(anyRule(name))[0] }

  test('is refused, since this vendor does not have it', () => {
    const { refusal } = checkParameters(value, site)
    expect(refusal?.code).toBe('bad_request/invalid_parameter')
    expect(refusal?.message).toContain(`parameters.${name}: ${site.protocol}`)
  })

  test('or is left out and told where the configuration says warn', () => {
    expect(checkParameters(value, { ...site, unknown: 'warn' })).toEqual({ notSent: [name] })
    expect(wireParameters(site.protocol, site.dialect, value).notSent).toEqual([name])
  })
})

test.each(SITES)('$protocol ($dialect) is always told how long an answer may be', ({ protocol, dialect }) => {
  const { wire } = wireParameters(protocol, dialect, {})
  expect(at(wire, parameterTable(protocol, dialect).maxTokens?.wire ?? '')).toBe(4096)
})

function goodValues({ type, min = 0, max, values = [] }: ParameterRule): readonly unknown[] {
  switch (type) {
    case 'words':
      return values
    case 'boolean':
      return [true, false]
    case 'texts':
      return [['END']]
    case 'integer':
      return [min, max ?? min + 1]
    case 'number':
      return [min, max ?? min + 0.5]
  }
}

function badValues({ type, min, max, maxItems }: ParameterRule): readonly unknown[] {
  const outside = [
    ...(min === undefined || min === Number.MIN_SAFE_INTEGER ? [] : [min - 1]),
    ...(max === undefined || max === Number.MAX_SAFE_INTEGER ? [] : [max + 1]),
  ]
  switch (type) {
    case 'words':
      return ['sideways', 3, true]
    case 'boolean':
      return ['true', 1]
    case 'texts':
      return ['END', [1], [''], ...(maxItems === undefined ? [] : [Array(maxItems + 1).fill('x')])]
    case 'integer':
      return ['7', 1.5, Number.NaN, null, ...outside]
    case 'number':
      return ['0.5', Number.POSITIVE_INFINITY, ...outside]
  }
}

/** What must be there for a parameter to be accepted. */
function company({ below }: ParameterRule): object {
  return below === undefined ? {} : { [below.limit]: 1_000_000 }
}

function onTheWire({ inverted, spelling }: ParameterRule, value: unknown): unknown {
  if (inverted) return !value
  return spelling?.[String(value)] ?? value
}

function anyRule(name: ParameterName): ParameterRule {
  const found = SUPPORTED.find((cell) => cell.name === name)
  if (found === undefined) throw new Error(`${name} is in no table`)
  return found.rule
}

function at(wire: Readonly<Record<string, unknown>>, path: string): unknown {
  return path.split('.').reduce<unknown>((value, step) => Reflect.get(Object(value), step), wire)
}
