import type { Group } from '../harness/group.ts'

/** What the telemetry of a turn costs, and the relay of its deltas. */
export const telemetry: Group = {
  name: 'telemetry',
  title: 'Telemetry of a one-step turn',
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
    { variant: 'relay', column: 'a token', of: 'us', atMost: 9 },
  ],
}
