/** CPU (user and system, all threads) per operation: what a shared machine does not change, as it does wall time. */

export type CpuOptions = {
  /** Operations under way at once. Default 1. */
  readonly inFlight?: number
  /** CPU that is spent before counting begins. Default 400 ms. */
  readonly warmUpMs?: number
  /** CPU that is measured. Default 400 ms, or 300 ms for calls that do not wait. */
  readonly measureMs?: number
}

/** Microseconds of CPU for one `work`. */
export async function cpuOf(work: () => Promise<unknown>, options: CpuOptions = {}): Promise<number> {
  const { inFlight = 1, warmUpMs = 400, measureMs = 400 } = options
  await spend(work, { inFlight, cpuMs: warmUpMs })
  globalThis.gc?.()
  const { operations, cpuUs } = await spend(work, { inFlight, cpuMs: measureMs })
  return cpuUs / operations
}

/** Microseconds of CPU for one call of a function that does not wait. */
export function cpuOfCall(work: () => unknown, options: Omit<CpuOptions, 'inFlight'> = {}): number {
  const { warmUpMs = 400, measureMs = 300 } = options
  const batch = sizeBatch(work)
  spendInBatches(work, batch, warmUpMs)
  return spendInBatches(work, batch, measureMs)
}

const ASK_EVERY_MS = 25

/** CPU of this process so far, in microseconds. */
export function cpuNowUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

async function spend(
  work: () => Promise<unknown>,
  { inFlight, cpuMs }: { inFlight: number; cpuMs: number },
): Promise<{ operations: number; cpuUs: number }> {
  const startUs = cpuNowUs()
  const untilUs = startUs + cpuMs * 1000
  let operations = 0
  let askedAt = performance.now()
  let isOver = false
  const lane = async (): Promise<void> => {
    while (!isOver) {
      await work()
      operations++
      // Asking costs up to 100 µs on a busy machine, so only now and then.
      const now = performance.now()
      if (now - askedAt < ASK_EVERY_MS) continue
      askedAt = now
      isOver = cpuNowUs() >= untilUs
    }
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  return { operations, cpuUs: cpuNowUs() - startUs }
}

/** So many calls that reading the clock does not count. */
function sizeBatch(work: () => unknown): number {
  let size = 1
  for (;;) {
    const startUs = cpuNowUs()
    for (let i = 0; i < size; i++) work()
    if (cpuNowUs() - startUs > 10_000) return size
    size *= 2
  }
}

function spendInBatches(work: () => unknown, batch: number, cpuMs: number): number {
  const startUs = cpuNowUs()
  let calls = 0
  do {
    for (let i = 0; i < batch; i++) work()
    calls += batch
  } while (cpuNowUs() - startUs < cpuMs * 1000)
  return (cpuNowUs() - startUs) / calls
}
