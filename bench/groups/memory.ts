import type { Group, Variant } from '../harness/group.ts'

const COLUMNS = ['KB a stream at 1000', 'KB a stream at 5000', 'KB of Redis a waiting turn'] as const

const streams = (name: string, client: string, count: number): Variant => ({
  ...{ name, module: 'subjects/memory/streams.ts', options: { client, streams: count } },
  nodeFlags: ['--expose-gc'],
})

/** What waits costs memory alone. */
export const memory: Group = {
  name: 'memory',
  title: 'Memory of what waits',
  about:
    'Resident memory of a process for each of many streams that have begun and then say nothing, and memory of Redis for each waiting turn or job of 1 KB.',
  floor: 'undici request',
  needsMock: true,
  variants: [
    streams('undici request', 'undici', 5000),
    streams('turnkeeper, 1,000 streams', 'turnkeeper', 1000),
    streams('turnkeeper, 5,000 streams', 'turnkeeper', 5000),
    { name: 'bullmq job', module: 'subjects/memory/waiting.ts', options: { kind: 'jobs' } },
    { name: 'turnkeeper, turn', module: 'subjects/memory/waiting.ts', options: { kind: 'turns' } },
  ],
  units: Object.fromEntries(COLUMNS.map((column) => [column, 'KB'])),
  goals: [
    {
      variant: 'turnkeeper, 5,000 streams',
      column: COLUMNS[1],
      of: 'us',
      atMost: 45,
      why: 'by less than the runs differ',
    },
    { variant: 'turnkeeper, turn', column: COLUMNS[2], of: 'us', atMost: 6 },
  ],
}
