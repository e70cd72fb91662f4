/** The bytes of many answers, cut in different ways. */

import { CHAT_EVENTS } from '../../mock/answers.ts'

/** Answers read one after the other in a measurement. */
export const EVENTS_OF_ANSWER = CHAT_EVENTS.length

const WHOLE = Buffer.from(CHAT_EVENTS.join(''))

/** The JSON of every event, for the floor. */
export const EVENT_TEXTS = CHAT_EVENTS.map((event) => event.slice('data: '.length).trim()).filter(
  (text) => text !== '[DONE]',
)

/** Columns of the group: how large the chunks of a body are. */
export const CHUNKINGS: Readonly<Record<string, readonly Uint8Array[]>> = {
  'per event': CHAT_EVENTS.map((event) => Buffer.from(event)),
  '1460 B': cut(1460),
  '64 KB': cut(65_536),
  '7 B': cut(7),
  '1 B': cut(1),
}

function cut(size: number): readonly Uint8Array[] {
  return Array.from({ length: Math.ceil(WHOLE.length / size) }, (_, i) =>
    WHOLE.subarray(i * size, (i + 1) * size),
  )
}
