import type { Group } from '../harness/group.ts'

/** May a call go out: memory alone is asked. The peers decide and count in one call, which they wait for. */
export const breaker: Group = {
  name: 'breaker',
  title: 'One decision of the breakers while all is well',
  floor: 'a look at a Map',
  variants: [
    { name: 'a look at a Map', module: 'subjects/breaker/look-up.ts' },
    { name: 'turnkeeper', module: 'subjects/breaker/turnkeeper.ts' },
    { name: 'cockatiel', module: 'peers/breakers.ts', options: { breaker: 'cockatiel' } },
    { name: 'opossum', module: 'peers/breakers.ts', options: { breaker: 'opossum' } },
  ],
  goals: [{ variant: 'turnkeeper', column: 'decision', of: 'us', atMost: 0.3 }],
}
