import type { BreakerPolicy } from '../../../src/providers/routing/breaker/rules.ts'

export const FLEET_ROUTE = 'p/m'
export type FleetOrder = 'fail' | 'leave'

export const FLEET_POLICY: BreakerPolicy = {
  rules: [
    {
      name: 'html',
      reasons: ['html_payload'],
      over: 3,
      min: 0,
      ratio: 0.01,
      windowMs: 60_000,
      openMs: 1500,
      maxMs: 3000,
    },
    {
      name: 'stall',
      reasons: ['stall'],
      over: 2,
      min: 0,
      ratio: 0.01,
      windowMs: 60_000,
      openMs: 100,
      maxMs: 400,
    },
  ],
  recoverAfterSuccesses: 5,
  recoverAfterMs: 60_000,
  forgetAfterMs: 60_000,
}
