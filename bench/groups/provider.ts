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
      'beside the socket and JSON of the floor, a call has six spans, nine metrics, a log line and an engine; without its telemetry it costs 55 % of the figure; its profile is flat: no function of ours has 3 %, the garbage collector 14 %. So it is dearer than @anthropic-ai/sdk for JSON, though cheaper than all for streams at 64',
    ),
    column('stream ×64', 1.25, 'what a call costs beside its stream, as above'),
    column('tool loop', 1.5, 'as above, and a seventh span'),
  ],
}
