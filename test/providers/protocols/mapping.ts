/** One answer through a mapper, without HTTP. */

import { createCollector } from '../../../src/providers/collect.ts'
import type { Ending, Mapped, Protocol } from '../../../src/providers/protocols/protocol.ts'
import type { Answer, StreamPart } from '../../../src/providers/types.ts'

export type Mapping = {
  readonly parts: readonly StreamPart[]
  readonly answer: Answer
  readonly mapped: readonly Mapped[]
  readonly ending: Ending
}

/** An event with its SSE name where it matters. */
export type NamedJson = { readonly json: unknown; readonly name: string }

export type MapOptions = {
  /** Default false: the values are events. */
  readonly whole?: boolean
  /** Whether the stream had its end marker. Default false. */
  readonly marked?: boolean
}

export function mapAnswer(protocol: Protocol, values: readonly unknown[], options: MapOptions = {}): Mapping {
  const { whole = false, marked = false } = options
  const parts: StreamPart[] = []
  const collector = createCollector('p/m')
  let ids = 0
  const mapper = protocol.createMapper(
    (part) => {
      parts.push(part)
      collector.add(part)
    },
    { toolArgumentBytes: 1000, newId: () => `made-${++ids}` },
  )
  const mapped = values.map((value) => {
    if (whole) return mapper.body(value)
    return isNamed(value) ? mapper.event(value.json, value.name) : mapper.event(value, undefined)
  })
  const isDone = mapped.some((one) => one?.type === 'done')
  const ending = mapper.end(isDone || whole || marked)
  return { parts, answer: { ...collector.answer(), model: mapper.model }, mapped, ending }
}

function isNamed(value: unknown): value is NamedJson {
  return typeof value === 'object' && value !== null && 'json' in value && 'name' in value
}
