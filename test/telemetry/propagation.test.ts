import { expect, test } from 'vitest'
import { carrierOfIds, idsFromCarrier } from '../../src/telemetry/traces/propagation.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const spanId = 'b7ad6b7169203331'
const elsewhere = { traceId, spanId, isRemote: true }

test('a carrier names the span that it was made of, sampled or not', () => {
  for (const traceFlags of [0, 1]) {
    const carrier = carrierOfIds({ traceId, spanId, traceFlags })
    expect(carrier).toEqual({ traceparent: `00-${traceId}-${spanId}-0${traceFlags}` })
    expect(idsFromCarrier(carrier)).toEqual({ ...elsewhere, traceFlags })
  }
})

test('what others may write is understood: flags to come, a later version, a state', () => {
  const parent = `00-${traceId}-${spanId}`
  expect(idsFromCarrier({ traceparent: `${parent}-03` })).toEqual({ ...elsewhere, traceFlags: 3 })
  expect(idsFromCarrier({ traceparent: `01-${traceId}-${spanId}-01-more` })).toMatchObject({
    traceId,
    spanId,
  })
  const stated = idsFromCarrier({ traceparent: `${parent}-01`, tracestate: 'vendor=1' })
  expect(stated).toMatchObject({ ...elsewhere, traceFlags: 1 })
  expect(stated && carrierOfIds(stated)).toEqual({ traceparent: `${parent}-01`, tracestate: 'vendor=1' })
})

test.each([
  undefined,
  '',
  `00-${traceId}-${spanId}`,
  `00-${'0'.repeat(32)}-${spanId}-01`,
  `00-${traceId}-${'0'.repeat(16)}-01`,
  `00-${traceId.toUpperCase()}-${spanId}-01`,
  `00-${traceId}-${spanId}-01-more`,
  `ff-${traceId}-${spanId}-01`,
])('%s names no span', (traceparent) => {
  expect(idsFromCarrier(traceparent === undefined ? {} : { traceparent })).toBeUndefined()
})
