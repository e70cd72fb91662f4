/** The library's whole way from bytes to parts: content gate, decoding, parser, limits, mapper. */

import { createBodyReader } from '../../../src/providers/body/response-body.ts'
import { PROTOCOLS } from '../../../src/providers/protocols/registry.ts'
import { createRedactor } from '../../../src/telemetry/redaction.ts'
import { cpuOfCall } from '../../harness/cpu.ts'
import type { Measure } from '../../harness/group.ts'
import { STREAM_TEXT_CHARS } from '../../mock/answers.ts'
import { CHUNKINGS, EVENTS_OF_ANSWER } from './stream.ts'

const LIMITS = { bodyBytes: 4_194_304, eventBytes: 1_048_576, toolArgumentBytes: 262_144 }

export const measure: Measure = async () => {
  const redactor = createRedactor(['sk-none-0123456789abcdef'])
  const protocol = PROTOCOLS['openai-chat']
  const read = (chunks: readonly Uint8Array[]): void => {
    let chars = 0
    const mapper = protocol.createMapper(
      (part) => {
        if (part.type === 'text') chars += part.delta.length
      },
      { toolArgumentBytes: LIMITS.toolArgumentBytes, newId: () => 'call_0' },
    )
    const body = createBodyReader({
      ...{ status: 200, headers: { 'content-type': 'text/event-stream' }, mapper },
      ...{ framing: protocol.framing, streamed: true, limits: LIMITS, now: Date.now },
      excerpt: { secrets: [], redactor, sent: '' },
    })
    for (const chunk of chunks) body.push(chunk)
    const verdict = body.end()
    if (verdict.type !== 'complete' || chars !== STREAM_TEXT_CHARS) throw new Error('the answer is not whole')
  }
  return Object.fromEntries(
    Object.entries(CHUNKINGS).map(([column, chunks]) => [
      column,
      cpuOfCall(() => read(chunks)) / EVENTS_OF_ANSWER,
    ]),
  )
}
