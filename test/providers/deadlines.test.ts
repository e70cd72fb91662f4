import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { type DeadlineReason, type Deadlines, startDeadlines } from '../../src/providers/attempt/deadlines.ts'

const timeouts = { connectMs: 10, headersMs: 100, firstContentMs: 500, idleMs: 200, totalMs: 2000 }

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function start(patience: Partial<typeof timeouts> = {}): { deadlines: Deadlines; expired: DeadlineReason[] } {
  const expired: DeadlineReason[] = []
  const onExpire = (reason: DeadlineReason): void => void expired.push(reason)
  return {
    deadlines: startDeadlines({
      timeouts: { ...timeouts, ...patience },
      now: () => performance.now(),
      onExpire,
    }),
    expired,
  }
}

test('headers are waited for from the sent request', () => {
  const { deadlines, expired } = start()
  vi.advanceTimersByTime(1000)
  deadlines.sent()
  vi.advanceTimersByTime(99)
  expect(expired).toEqual([])
  vi.advanceTimersByTime(2)
  expect(expired).toEqual(['timeout_headers'])
})

test('bytes keep a connection alive, but only content keeps a stream alive', () => {
  const { deadlines, expired } = start()
  deadlines.sent()
  deadlines.headers()
  for (let i = 0; i < 4; i++) {
    vi.advanceTimersByTime(120)
    deadlines.bytes(100)
  }
  expect(expired).toEqual([])
  vi.advanceTimersByTime(30)
  expect(expired).toEqual(['timeout_first_content'])
})

test('silence on the wire is a stall, whose length is kept', () => {
  const { deadlines, expired } = start()
  deadlines.sent()
  deadlines.headers()
  vi.advanceTimersByTime(150)
  deadlines.bytes(100)
  deadlines.content()
  vi.advanceTimersByTime(201)
  expect(expired).toEqual(['stall'])
  expect(deadlines.longestSilenceMs).toBeGreaterThanOrEqual(200)
})

test('the total runs whatever happens', () => {
  const { deadlines, expired } = start()
  deadlines.sent()
  deadlines.headers()
  for (let i = 0; i < 20; i++) {
    vi.advanceTimersByTime(105)
    deadlines.bytes(100)
    deadlines.content()
  }
  expect(expired).toEqual(['timeout_total'])
})

test('a stopped one never fires', () => {
  const { deadlines, expired } = start()
  deadlines.sent()
  deadlines.stop()
  vi.advanceTimersByTime(5000)
  expect(expired).toEqual([])
})

test('a stream that drips below the floor for a whole window is a stall', () => {
  const { deadlines, expired } = start()
  deadlines.sent()
  deadlines.headers()
  // 16 bytes a second, over a window of twice the longest patience (1 s)
  for (let i = 0; i < 15; i++) {
    vi.advanceTimersByTime(60)
    deadlines.bytes(1)
    deadlines.content()
  }
  expect(expired).toEqual([])
  vi.advanceTimersByTime(101)
  expect(expired).toEqual(['stall'])
})

test('a slow stream above the floor lives until its total time', () => {
  const { deadlines, expired } = start()
  deadlines.sent()
  deadlines.headers()
  for (let i = 0; i < 32; i++) {
    vi.advanceTimersByTime(60)
    deadlines.bytes(1)
    deadlines.content()
  }
  expect(expired).toEqual([])
  vi.advanceTimersByTime(90)
  expect(expired).toEqual(['timeout_total'])
})

test('the silence under way counts from the last byte, and ends with the attempt', () => {
  const { deadlines } = start()
  deadlines.sent()
  vi.advanceTimersByTime(50)
  expect(deadlines.silenceMs).toBe(0)
  deadlines.headers()
  vi.advanceTimersByTime(80)
  expect(deadlines.silenceMs).toBe(80)
  deadlines.bytes(1)
  vi.advanceTimersByTime(30)
  expect(deadlines.silenceMs).toBe(30)
  deadlines.stop()
  expect(deadlines.silenceMs).toBe(0)
})

test('a finished answer is waited on for 5 s, to the millisecond, whenever it was finished', () => {
  for (const finishedAt of [0, 1200, 4999, 5000, 12_345]) {
    const { deadlines, expired } = start({ idleMs: 30_000, firstContentMs: 60_000, totalMs: 600_000 })
    deadlines.sent()
    deadlines.headers()
    vi.advanceTimersByTime(finishedAt)
    deadlines.bytes(100)
    deadlines.finished()
    vi.advanceTimersByTime(4999)
    expect(expired).toEqual([])
    vi.advanceTimersByTime(1)
    expect(expired).toEqual(['stall'])
  }
})

test('an attempt holds one timer, and sets none for what happens to it', () => {
  const setTimer = vi.spyOn(globalThis, 'setTimeout')
  const { deadlines } = start()
  deadlines.sent()
  deadlines.headers()
  deadlines.bytes(100)
  deadlines.content()
  deadlines.finished()
  expect(setTimer).toHaveBeenCalledTimes(1)
  deadlines.stop()
  expect(vi.getTimerCount()).toBe(0)
  setTimer.mockRestore()
})
