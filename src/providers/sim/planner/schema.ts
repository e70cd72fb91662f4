/** Makes JSON values that satisfy a simple JSON Schema: types, enums, bounds, nesting, `anyOf`, local `$ref`. */

import type { JsonSchema } from '../../types.ts'
import { isObject } from './conversation.ts'

/** Proposes a value for one property by its name; undefined leaves the choice to the schema. */
export type Propose = (property: string, schema: JsonSchema) => unknown

export type FillOptions = {
  readonly propose: Propose
  /** Also the optional properties; else only the required ones and those that `propose` has a value for. */
  readonly all: boolean
}

type Context = FillOptions & { readonly root: JsonSchema; readonly depth: number }

const MOST_DEPTH = 8

/** A value for `schema`. */
export function fillSchema(schema: JsonSchema, options: FillOptions): unknown {
  return fill('', schema, { ...options, root: schema, depth: 0 })
}

function fill(property: string, given: JsonSchema, context: Context): unknown {
  const schema = resolve(given, context)
  if ('const' in schema) return schema.const
  const proposed = property === '' ? undefined : context.propose(property, schema)
  const choices = schema.enum
  if (Array.isArray(choices)) return choices.includes(proposed) ? proposed : choices[0]
  switch (typeOf(schema)) {
    case 'object':
      return fillObject(schema, context)
    case 'array':
      return fillArray(property, schema, context)
    case 'integer':
      return bounded(Math.round(Number(proposed ?? schema.default ?? 1)), schema)
    case 'number':
      return bounded(Number(proposed ?? schema.default ?? 1), schema)
    case 'boolean':
      return typeof proposed === 'boolean' ? proposed : (schema.default ?? true)
    case 'null':
      return null
    default:
      return ofLength(String(proposed ?? schema.default ?? (property || 'text')), schema)
  }
}

function fillObject(schema: JsonSchema, context: Context): unknown {
  const properties = isObject(schema.properties) ? schema.properties : {}
  const required: readonly unknown[] = Array.isArray(schema.required) ? schema.required : []
  const entries = Object.entries(properties).flatMap(([name, child]) => {
    const childSchema = isObject(child) ? child : {}
    const wanted = context.all
      ? context.depth < MOST_DEPTH
      : context.propose(name, resolve(childSchema, context)) !== undefined
    if (!wanted && !required.includes(name)) return []
    return [[name, fill(name, childSchema, { ...context, depth: context.depth + 1 })] as const]
  })
  return Object.fromEntries(entries)
}

function fillArray(property: string, schema: JsonSchema, context: Context): unknown {
  if (context.depth >= MOST_DEPTH) return []
  const items = isObject(schema.items) ? schema.items : {}
  const least = typeof schema.minItems === 'number' ? schema.minItems : 1
  const most = typeof schema.maxItems === 'number' ? schema.maxItems : least
  const length = Math.min(Math.max(least, 1), Math.max(most, least))
  return Array.from({ length }, () => fill(property, items, { ...context, depth: context.depth + 1 }))
}

/** Follows `$ref` into the same document and takes the first of alternatives that is not null. */
function resolve(schema: JsonSchema, { root, depth }: Context): JsonSchema {
  const reference = schema.$ref
  if (typeof reference === 'string' && depth < MOST_DEPTH * 2) {
    const target = reference
      .split('/')
      .slice(1)
      .reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), root)
    return isObject(target) ? target : {}
  }
  const alternatives = schema.anyOf ?? schema.oneOf
  if (!Array.isArray(alternatives)) return schema
  const chosen = alternatives.filter(isObject).find((alternative) => alternative.type !== 'null')
  return chosen === undefined ? schema : { ...schema, ...chosen }
}

function typeOf(schema: JsonSchema): unknown {
  const { type } = schema
  if (Array.isArray(type)) return type.find((name) => name !== 'null') ?? 'null'
  return type ?? (schema.properties === undefined ? undefined : 'object')
}

function bounded(value: number, schema: JsonSchema): number {
  const least = typeof schema.minimum === 'number' ? schema.minimum : Number.NEGATIVE_INFINITY
  const most = typeof schema.maximum === 'number' ? schema.maximum : Number.POSITIVE_INFINITY
  return Math.min(Math.max(Number.isFinite(value) ? value : 1, least), most)
}

function ofLength(text: string, schema: JsonSchema): string {
  const least = typeof schema.minLength === 'number' ? schema.minLength : 0
  const most = typeof schema.maxLength === 'number' ? schema.maxLength : text.length + least
  return text.padEnd(least, '.').slice(0, most)
}
