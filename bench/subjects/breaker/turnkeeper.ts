/** May a call go to a route now: the route, a credential and a place of its provider, from memory. */

import { isUsable } from '../../../src/providers/routing/breaker/states.ts'
import { cpuOfCall } from '../../harness/cpu.ts'
import type { Measure } from '../../harness/group.ts'
import { openWorld } from './world.ts'

export const measure: Measure = async () => {
  const { table, health, credentials, places, router, close } = await openWorld()
  const { name, provider } = table.routes[0]!
  let allowed = 0
  const decide = (): void => {
    const isOpen = !isUsable(health.view(name).state)
    if (!isOpen && credentials.standing(provider).kind === 'usable' && !places.isFull(provider)) allowed++
  }
  const sample = {
    decision: cpuOfCall(decide),
    'with its result': cpuOfCall(() => {
      decide()
      health.report(name, 0)
    }),
    'choice between routes': cpuOfCall(() => router.choose('model')),
  }
  if (allowed === 0) throw new Error('nothing was allowed')
  await close()
  return sample
}
