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
      why: 'the worker sends five commands more than a plain job (its place, claim, begin, end, indexes), each a round trip through ioredis and its socket; the rest is the call through the attempt engine, whose profile is flat',
    },
    {
      variant: 'turnkeeper, 1 step',
      column: 'Redis CPU',
      of: 'ratio',
      atMost: 3,
      why: 'ten scripts against two: admission, acceptance and marks of the enqueuer, five of the worker; merging the last step with the end and the place with the indexes took two away',
    },
    {
      variant: 'turnkeeper, 1 step',
      column: 'add → start',
      of: 'ratio',
      atMost: 2,
      why: 'admission, acceptance, place and claim are four round trips more, one after the other, and the reader hears of the start by another two',
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
