import type { ResponseFormat } from '../../types.ts'

/** Whether the upstream takes a schema as such. */
export type SchemaSupport = { readonly jsonSchema: boolean }

/** The instruction that asks for JSON where the wire has no field for it; undefined where none is asked for. */
export function jsonInWords(format: ResponseFormat | undefined): string | undefined {
  switch (format?.type) {
    case 'json':
      return 'Answer only with one JSON value: no prose, no code fence.'
    case 'json_schema':
      return `Answer only with JSON that matches this JSON Schema:\n${JSON.stringify(format.schema)}`
    default:
      return undefined
  }
}
