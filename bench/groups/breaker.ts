import type { Group } from '../harness/group.ts'

/** May a call go out: memory alone is asked. The peers decide and count in one call, which they wait for. */
export const breaker: Group = {
  name: 'breaker',
  title: 'One decision of the breakers while all is well',
  about:
    'May a call go to a route: the breakers of the route and of its credential and the places of its provider, from memory. `with its result` counts a success too, which is all that the peers offer: they decide and count in one call that is awaited.',
  floor: 'a look at a Map',
  variants: [
    { name: 'a look at a Map', module: 'subjects/breaker/look-up.ts' },
    { name: 'turnkeeper', module: 'subjects/breaker/turnkeeper.ts' },
    { name: 'cockatiel', module: 'peers/breakers.ts', options: { breaker: 'cockatiel' } },
    { name: 'opossum', module: 'peers/breakers.ts', options: { breaker: 'opossum' } },
  ],
  goals: [{ variant: 'turnkeeper', column: 'decision', of: 'us', atMost: 0.3 }],
}
