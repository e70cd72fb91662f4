import type { Group } from '../harness/group.ts'

/** What the telemetry of a turn costs, and the relay of its deltas. */
export const telemetry: Group = {
  name: 'telemetry',
  title: 'Telemetry of a one-step turn',
  about:
    'All that a one-step turn shows of itself (six spans, nine metrics, a log line), through the code that shows it, with nothing done in between, beside as many spans, attributes, metrics and lines made by hand on OpenTelemetry and pino; a scrape of the metrics of two routes and for 1,000 series; the deltas of 64 streams from a worker through Redis.',
  floor: 'SDK by hand',
  variants: [
    { name: 'SDK by hand', module: 'subjects/telemetry/by-hand.ts' },
    { name: 'off', module: 'subjects/telemetry/turn.ts', options: { mode: 'off' } },
    { name: 'sampled out', module: 'subjects/telemetry/turn.ts', options: { mode: 'sampled out' } },
    { name: 'on', module: 'subjects/telemetry/turn.ts', options: { mode: 'on' } },
    { name: 'relay', module: 'subjects/telemetry/relay.ts' },
  ],
  goals: [
    {
      variant: 'on',
      column: 'one-step turn',
      of: 'us',
      atMost: 80,
      why: 'the SDK by hand costs two thirds of it; between 69 and 118 µs in the runs of one afternoon, with the load',
    },
    {
      variant: 'sampled out',
      column: 'one-step turn',
      of: 'us',
      atMost: 15,
      why: 'nine metrics and a redacted log line, which are kept whatever the sampling, are most of it; no span is opened',
    },
    { variant: 'on', column: 'scrape, 1,000 series', of: 'us', atMost: 2000 },
    {
      variant: 'relay',
      column: 'a token',
      of: 'us',
      atMost: 9,
      why: 'one script for each turn and tick, which checks the fence and keeps the deltas for readers who come later; the goal is that of one plain message for all turns of a worker',
    },
  ],
}
