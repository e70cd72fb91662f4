import { expect, test } from 'vitest'

import { type EvidenceKeeper, keepEvidence } from '../../../src/providers/recorder/evidence.ts'

const SENT = { method: 'POST', url: new URL('http://up.test/'), headers: {}, body: '{}' }

function begin(rawBytes: number): EvidenceKeeper {
  const keeper = keepEvidence({ rawBytes, excerptBytes: 100 })
  keeper.sent(SENT)
  keeper.headers(0)
  return keeper
}

const bytes = (text: string): Uint8Array => Buffer.from(text)

test('nothing was sent, so there is nothing to show', () => {
  expect(keepEvidence({ rawBytes: 10, excerptBytes: 10 }).evidence()).toBeUndefined()
})

test('of a long answer the first and the last bytes and gaps stay, and what was left out is counted (E1)', () => {
  const keeper = begin(20)
  for (let at = 1; at <= 1000; at++) keeper.raw(bytes('abcde'), at * at)
  const { raw, rawBytes, gapsMs } = keeper.evidence()!
  expect(rawBytes).toBe(5000)
  expect([raw.head.length, raw.tail.length, raw.omitted]).toEqual([2, 2, 4980])
  expect([gapsMs.head.length, gapsMs.tail.length, gapsMs.omitted]).toEqual([128, 128, 744])
  expect(gapsMs.head.slice(0, 3)).toEqual([1, 3, 5])
  expect(gapsMs.tail.at(-1)).toBe(1999)
})

test('what drains from the connection after the report is not added to it', () => {
  const keeper = begin(100)
  keeper.raw(bytes('the answer'), 1)
  const evidence = keeper.evidence()!
  keeper.raw(bytes('after it'), 2)
  expect(Buffer.concat(evidence.raw.head).toString()).toBe('the answer')
  expect(evidence.gapsMs.head).toEqual([1])
})
