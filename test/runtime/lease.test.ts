import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Journal } from '../../src/queue/journal.ts'
import type { Claim, RenewOutcome } from '../../src/queue/journal-types.ts'
import { keepLease, type Lease } from '../../src/runtime/worker/lease.ts'

const LEASE_MS = 10_000
let lease: Lease

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  lease.close()
  vi.useRealTimers()
})

/** A lease whose renewals are answered by `renew`; nothing else of the journal is asked. */
function leaseWith(renew: () => Promise<RenewOutcome>): Lease {
  return keepLease({ renew } as unknown as Journal, {} as Claim, LEASE_MS)
}

test('a lease that is renewed lasts (L1)', async () => {
  lease = leaseWith(async () => ({ outcome: 'ok' }))
  await vi.advanceTimersByTimeAsync(10 * LEASE_MS)
  expect(lease.ended.aborted).toBe(false)
})

test('a worker that hears nothing from Redis gives up before another may take over (L2)', async () => {
  lease = leaseWith(() => new Promise(() => {}))
  await vi.advanceTimersByTimeAsync(0.65 * LEASE_MS)
  expect(lease.ended.aborted).toBe(false)
  await vi.advanceTimersByTimeAsync(0.2 * LEASE_MS)
  expect(lease.ended.reason).toMatchObject({ code: 'turn/fenced' })
})

test('a process that was stopped for too long finds out when it looks, not at its next timer (L3)', () => {
  lease = leaseWith(async () => ({ outcome: 'ok' }))
  const stopped = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + LEASE_MS)
  expect(lease.ended.aborted).toBe(false)
  lease.check()
  expect(lease.ended.reason).toMatchObject({ code: 'turn/fenced' })
  stopped.mockRestore()
})

test('a lease that was given up is not prolonged: others need not wait for it any longer (L2)', async () => {
  let renewals = 0
  lease = leaseWith(async () => {
    renewals++
    return { outcome: 'ok' }
  })
  await vi.advanceTimersByTimeAsync(0.25 * LEASE_MS)
  const stopped = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + LEASE_MS)
  await vi.advanceTimersByTimeAsync(0.1 * LEASE_MS) // the next look is one that renews
  stopped.mockRestore()
  expect(lease.ended.reason).toMatchObject({ code: 'turn/fenced' })
  expect(renewals).toBe(0)
})

test('a lease that another worker has taken ends at the next renewal, a cancelled one too', async () => {
  lease = leaseWith(async () => ({ outcome: 'fenced' }))
  await vi.advanceTimersByTimeAsync(LEASE_MS / 2)
  expect(lease.ended.reason).toMatchObject({ code: 'turn/fenced' })
  lease = leaseWith(async () => ({ outcome: 'cancel', reason: 'enough' }))
  await vi.advanceTimersByTimeAsync(LEASE_MS / 2)
  expect(lease.ended.reason).toMatchObject({
    code: 'turn/cancelled',
    message: expect.stringContaining('enough'),
  })
})
