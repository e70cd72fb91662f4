import type { Group } from '../harness/group.ts'

/** What the telemetry of a turn costs, and the relay of its deltas. */
export const telemetry: Group = {
  name: 'telemetry',
  title: 'Telemetry of a one-step turn',
  about:
    'All that a one-step turn shows of itself (six spans, metrics, a log line), through the code that shows it, with nothing done in between; a scrape of the metrics of two routes and for 1,000 series; the deltas of 64 streams from a worker through Redis.',
  floor: 'off',
  variants: [
    { name: 'off', module: 'subjects/telemetry/turn.ts', options: { mode: 'off' } },
    { name: 'sampled out', module: 'subjects/telemetry/turn.ts', options: { mode: 'sampled out' } },
    { name: 'on', module: 'subjects/telemetry/turn.ts', options: { mode: 'on' } },
    { name: 'relay', module: 'subjects/telemetry/relay.ts' },
  ],
  goals: [
    { variant: 'on', column: 'one-step turn', of: 'us', atMost: 80 },
    { variant: 'sampled out', column: 'one-step turn', of: 'us', atMost: 15 },
    { variant: 'on', column: 'scrape, 1,000 series', of: 'us', atMost: 2000 },
    { variant: 'relay', column: 'a token', of: 'us', atMost: 9 },
  ],
}
