import type { Group } from '../harness/group.ts'
import { type Row, rowName } from '../harness/statistics.ts'

const JOB_AND_CALL = 'bullmq job and undici call'

/** A turn beside a plain job: CPU of the worker's process and of Redis; scripts that Redis was asked to run. */
export const turn: Group = {
  name: 'turn',
  title: 'One turn through queue, journal, events and worker',
  about:
    'A turn through queue, journal, events and worker beside a plain BullMQ job of the same size: CPU of the worker and of Redis, scripts that Redis ran, those of the journal among them, and the time from adding to the start.',
  floor: 'bullmq job',
  needsMock: true,
  variants: [
    { name: 'bullmq job', module: 'subjects/turn/bullmq.ts' },
    { name: JOB_AND_CALL, module: 'subjects/turn/bullmq.ts', options: { calls: true } },
    { name: 'turnkeeper, 1 step', module: 'subjects/turn/turnkeeper.ts', options: { model: 'json' } },
    { name: 'turnkeeper, 3 steps', module: 'subjects/turn/turnkeeper.ts', options: { model: 'tools' } },
  ],
  units: { scripts: 'scripts', 'scripts of the journal': 'scripts', 'add → start': 'ms wall' },
  goals: [
    {
      variant: 'turnkeeper, 1 step',
      column: 'beyond job and call',
      of: 'us',
      atMost: 150,
      why: 'the worker sends two commands more than a plain job, taking the turn up and letting it go, with answer, messages and events in them; each costs the client of Redis some 15 µs, and leaves functions behind that outlive the next collections of garbage (decision 8). The rest is the call through the attempt engine',
    },
    {
      variant: 'turnkeeper, 1 step',
      column: 'Redis CPU',
      of: 'ratio',
      atMost: 3,
      why: 'five scripts against two. Those of BullMQ cost a third more with priorities and deduplication; of the others a third is the commands themselves, and Lua goes over each byte of what a turn writes: answer, messages and events',
    },
    {
      variant: 'turnkeeper, 1 step',
      column: 'add → start',
      of: 'ratio',
      atMost: 2,
      why: 'two round trips more, acceptance before the wake-up and the claim after it, and the way of the message to the reader, who shares a process with the worker here; all of it code that runs once in a while, so that half of the time is cold',
    },
    { variant: 'turnkeeper, 3 steps', column: 'scripts a further step', of: 'us', atMost: 2 },
  ],
  derive(rows) {
    const of = (variant: string, column: string): number =>
      rows.find(({ name }) => name === rowName(variant, column))?.us ?? Number.NaN
    const one = 'turnkeeper, 1 step'
    const three = 'turnkeeper, 3 steps'
    const row = (variant: string, column: string, us: number, unit: string): Row => ({
      ...{ name: rowName(variant, column), us, unit, ratio: null, spread: [us, us] },
    })
    const beyond = of(one, 'worker CPU') - of(JOB_AND_CALL, 'worker CPU')
    const further = (of(three, 'scripts of the journal') - of(one, 'scripts of the journal')) / 2
    return [
      row(one, 'beyond job and call', beyond, 'µs'),
      row(three, 'scripts a further step', further, 'scripts'),
    ]
  },
}
