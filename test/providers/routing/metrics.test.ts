import { expect, test } from 'vitest'
import { createSilences } from '../../../src/providers/attempt/silences.ts'
import { zeroCredentialMetrics } from '../../../src/providers/routing/metrics.ts'
import { noTelemetry } from '../../../src/telemetry/none.ts'
import type { Labels, Telemetry } from '../../../src/telemetry/telemetry.ts'

test('every move of a credential has its counter from the start, at 0', () => {
  const counted: (readonly [Labels, number | undefined])[] = []
  const telemetry: Telemetry = {
    ...noTelemetry,
    count: (_metric, labels, value) => void counted.push([labels, value]),
  }
  zeroCredentialMetrics(telemetry, ['up#main'])
  expect(counted).toContainEqual([{ credential: 'up#main', from: 'closed', to: 'open', reason: 'auth' }, 0])
  expect(counted.some(([{ reason }]) => reason === 'html')).toBe(false)
})

test('of the open streams of a route the most silent one is shown, and none once they have ended', () => {
  const silences = createSilences()
  const ends = [silences.watch('p/m', { silenceMs: 20 }), silences.watch('p/m', { silenceMs: 70 })]
  silences.watch('p/other', { silenceMs: 500 })
  expect(silences.longestMs('p/m')).toBe(70)
  ends[1]?.()
  expect(silences.longestMs('p/m')).toBe(20)
  ends[0]?.()
  expect(silences.longestMs('p/m')).toBe(0)
})
