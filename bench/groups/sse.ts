import type { Goal, Group } from '../harness/group.ts'

const goal = (column: string, atMost: number): Goal => ({
  ...{ variant: 'turnkeeper', column, atMost },
  of: 'ratio',
})

/** Bytes of an event stream to parts, with no network. */
export const sse: Group = {
  name: 'sse',
  title: 'One event of a stream: bytes to parts',
  about:
    'Bytes of a stream to the parts of an answer, with no network, however the bytes are cut. The floor is `JSON.parse` of the events alone, already cut out and decoded.',
  floor: 'JSON.parse',
  variants: [
    { name: 'JSON.parse', module: 'subjects/sse/json-parse.ts' },
    { name: 'turnkeeper', module: 'subjects/sse/turnkeeper.ts' },
    { name: 'eventsource-parser', module: 'subjects/sse/eventsource-parser.ts' },
    { name: 'openai Stream', module: 'peers/sse.ts', options: { reader: 'openai' } },
    { name: 'ai parseJsonEventStream', module: 'peers/sse.ts', options: { reader: 'ai' } },
  ],
  goals: [goal('per event', 2), goal('64 KB', 1.7)],
}
