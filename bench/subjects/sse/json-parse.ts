/** The floor: JSON.parse of the events' texts, already cut out and decoded. */

import { cpuOfCall } from '../../harness/cpu.ts'
import type { Measure } from '../../harness/group.ts'
import { CHUNKINGS, EVENT_TEXTS, EVENTS_OF_ANSWER } from './stream.ts'

export const measure: Measure = async () => {
  let kept: unknown
  const parseAll = (): void => {
    for (const text of EVENT_TEXTS) kept = JSON.parse(text)
  }
  const us = cpuOfCall(parseAll) / EVENTS_OF_ANSWER
  if (kept === undefined) throw new Error('nothing was parsed')
  // However the bytes are cut, the floor is the same.
  return Object.fromEntries(Object.keys(CHUNKINGS).map((column) => [column, us]))
}
