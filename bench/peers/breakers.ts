/** A call through each breaker, as its API has it: decision and result in one, with a function that does nothing. */

import { ConsecutiveBreaker, circuitBreaker, handleAll } from 'cockatiel'
import CircuitBreaker from 'opossum'
import { cpuOf } from '../harness/cpu.ts'
import type { Measure } from '../harness/group.ts'

const BREAKERS: Readonly<Record<string, () => () => Promise<unknown>>> = {
  cockatiel() {
    const policy = circuitBreaker(handleAll, { halfOpenAfter: 10_000, breaker: new ConsecutiveBreaker(5) })
    return () => policy.execute(async () => 1)
  },
  opossum() {
    const breaker = new CircuitBreaker(async () => 1, { timeout: false })
    return () => breaker.fire()
  },
}

export const measure: Measure = async ({ breaker }) => {
  const fire = BREAKERS[String(breaker)]!()
  const batch = async (): Promise<void> => {
    for (let i = 0; i < 100; i++) await fire()
  }
  return { 'with its result': (await cpuOf(batch)) / 100 }
}
