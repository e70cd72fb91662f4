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
      'without its telemetry a call is some 1.3 times the floor: checks, routing, a credential, breakers, evidence and a gate on what the body is. Six spans, nine metrics and a log line are the rest, a third of it the frames that AsyncLocalStorage makes for each span, and pino. A call makes 47 KB, the floor 14',
    ),
    column(
      'stream ×64',
      1.25,
      'an event costs some 0.7 µs beside the two of reading and parsing it: the gate of what the body is, the timers, the evidence, the mapping to parts, the commit gate. The rest is what a call costs beside its stream, as above',
    ),
    column('tool loop', 1.5, 'as above, and a seventh span'),
  ],
}
