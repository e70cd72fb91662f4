/** What a person would write by hand: decode, parse, JSON.parse; no limits, no gate, no parts. */

import { createParser } from 'eventsource-parser'
import { cpuOfCall } from '../../harness/cpu.ts'
import type { Measure } from '../../harness/group.ts'
import { STREAM_TEXT_CHARS } from '../../mock/answers.ts'
import { CHUNKINGS, EVENTS_OF_ANSWER } from './stream.ts'

type Chunk = { readonly choices: readonly { readonly delta: { readonly content?: string } }[] }

export const measure: Measure = async () => {
  const read = (chunks: readonly Uint8Array[]): void => {
    let chars = 0
    const decoder = new TextDecoder()
    const parser = createParser({
      onEvent({ data }) {
        if (data === '[DONE]') return
        const chunk = JSON.parse(data) as Chunk // the mock's own events
        chars += chunk.choices[0]?.delta.content?.length ?? 0
      },
    })
    for (const chunk of chunks) parser.feed(decoder.decode(chunk, { stream: true }))
    if (chars !== STREAM_TEXT_CHARS) throw new Error('the answer is not whole')
  }
  return Object.fromEntries(
    Object.entries(CHUNKINGS).map(([column, chunks]) => [
      column,
      cpuOfCall(() => read(chunks)) / EVENTS_OF_ANSWER,
    ]),
  )
}
