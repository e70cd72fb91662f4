/** Readers that need a Web Stream and a `for await`: the openai SDK's `Stream`, ai's `parseJsonEventStream`. */

import { cpuOf } from '../harness/cpu.ts'
import type { Measure } from '../harness/group.ts'
import { CHUNKINGS, EVENTS_OF_ANSWER } from '../subjects/sse/stream.ts'

type Read = (body: ReadableStream<Uint8Array>) => Promise<void>

const READERS: Readonly<Record<string, () => Promise<Read>>> = {
  async openai() {
    const { Stream } = await import('openai/streaming')
    return async (body) => {
      for await (const _ of Stream.fromSSEResponse(new Response(body as never), new AbortController())) {
      }
    }
  },
  async ai() {
    const { parseJsonEventStream, jsonSchema } = await import('ai')
    const schema = jsonSchema<unknown>({})
    return async (body) => {
      for await (const _ of parseJsonEventStream({ stream: body as never, schema })) {
      }
    }
  },
}

export const measure: Measure = async ({ reader }) => {
  const read = await READERS[String(reader)]!()
  const sample: Record<string, number> = {}
  for (const [column, chunks] of Object.entries(CHUNKINGS)) {
    const us = await cpuOf(() => read(ReadableStream.from(chunks as Iterable<Uint8Array>)))
    sample[column] = us / EVENTS_OF_ANSWER
  }
  return sample
}
