import type { Group, Variant } from '../harness/group.ts'

const variant = (name: string, workers: number, waiting = 0): Variant => ({
  ...{ name, module: 'subjects/scale/workers.ts', options: { workers, waiting } },
})

/** The same turns on more workers, and with more of them waiting. */
export const scale: Group = {
  name: 'scale',
  title: 'One turn as workers and queue grow',
  about:
    'The same turns on 1 to 4 worker processes, and with 10,000 of them waiting: CPU of all workers together, a turn; and the commands that a worker without work sends to Redis.',
  floor: '1 worker',
  needsMock: true,
  variants: [
    variant('1 worker', 1),
    variant('2 workers', 2),
    variant('4 workers', 4),
    variant('1 worker, 10,000 waiting', 1, 10_000),
  ],
  units: { 'idle commands a second': '/s' },
  goals: [
    {
      variant: '4 workers',
      column: 'CPU a turn',
      of: 'ratio',
      atMost: 1.15,
      why: 'four workers, Redis, the upstream and the enqueuer share two processors and their caches: what one worker does alone on one of them, it does here between the others, and fewer commands leave together. It is some 200 µs a turn, which did not show while a turn cost 2,600',
    },
    { variant: '1 worker, 10,000 waiting', column: 'CPU a turn', of: 'ratio', atMost: 1.1 },
    { variant: '1 worker', column: 'idle commands a second', of: 'us', atMost: 5 },
  ],
}
