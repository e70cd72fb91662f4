import type { Encoder, WireEvent } from './encoder.ts'

type Framing = Encoder['framing']

/** The content types that vendors label their streams with. */
export const STREAM_CONTENT_TYPES: Readonly<Record<Framing, string>> = {
  sse: 'text/event-stream; charset=utf-8',
  ndjson: 'application/x-ndjson',
}

/** One event as it stands on the wire. */
export function frameEvent({ name, data }: WireEvent, framing: Framing): string {
  if (framing === 'ndjson') return `${JSON.stringify(data)}\n`
  const text = data === '[DONE]' ? data : JSON.stringify(data)
  return name === undefined ? `data: ${text}\n\n` : `event: ${name}\ndata: ${text}\n\n`
}
