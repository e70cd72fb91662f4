import type { Group } from '../harness/group.ts'

const column = (name: string, atMost: number, why: string) =>
  ({ variant: 'turnkeeper', column: name, of: 'ratio', atMost, why }) as const

/** One model call beside what else makes one. */
export const provider: Group = {
  name: 'provider',
  title: 'One model call: CPU of the client',
  about:
    'One model call beside what else makes one: JSON and a stream of 200 events, one at a time and 64 at once, a stream whose events come 5 ms apart, and two calls with a tool between them. Turnkeeper has all of its telemetry on, the others have none.',
  floor: 'undici request',
  needsMock: true,
  variants: [
    { name: 'undici request', module: 'subjects/provider/undici.ts' },
    { name: 'turnkeeper', module: 'subjects/provider/turnkeeper.ts' },
    { name: 'turnkeeper, for await', module: 'subjects/provider/turnkeeper.ts', options: { iterate: true } },
    { name: 'openai', module: 'peers/openai.ts' },
    { name: '@anthropic-ai/sdk', module: 'peers/anthropic.ts' },
    { name: '@langchain/openai', module: 'peers/langchain.ts' },
    { name: 'ai', module: 'peers/ai.ts' },
    { name: '@openai/agents', module: 'peers/openai-agents.ts' },
  ],
  goals: [
    column(
      'json ×64',
      1.5,
      'beside the socket and JSON of the floor, a call has checks, routing, a credential, evidence, six spans, nine metrics and a log line. The profile is flat: no function of ours has 4 %, the garbage collector 10 %. What costs is the amount of code: the floor stays in the first cache of the processor, all of this does not, so that a log line, 5 µs in a loop of its own, takes 36 here. Every other library in the table is dearer',
    ),
    column(
      'stream ×64',
      1.25,
      'what a call costs beside its stream, as above; and an event, 1.5 times the floor: it is parsed once as well, and passes the gate of what the body is, the timers, the evidence and the mapping to parts',
    ),
    column('tool loop', 1.5, 'as above, and a seventh span'),
  ],
}
