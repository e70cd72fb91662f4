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
      why: 'between 40 and 60 µs with the load',
    },
    {
      variant: 'sampled out',
      column: 'one-step turn',
      of: 'us',
      atMost: 15,
      why: 'a redacted log line (5 µs), nine metrics (1) and what builds their labels (3) are kept whatever the sampling; the rest is ids and the context that carries on that this trace is not kept: no span is opened',
    },
    { variant: 'on', column: 'scrape, 1,000 series', of: 'us', atMost: 2000 },
    {
      variant: 'relay',
      column: 'a token',
      of: 'us',
      atMost: 9,
      why: 'over a third of it is Redis, which for each turn and tick checks the fence and keeps the deltas for readers who come later; 8.4 µs on an idle machine, 12 to 16 where others use it; old and new code side by side are alike. The goal is that of one plain message for all turns of a worker',
    },
  ],
}
