/** The floor: one look at a Map. */

import { cpuOfCall } from '../../harness/cpu.ts'
import type { Measure } from '../../harness/group.ts'

export const measure: Measure = async () => {
  const states = new Map([
    ['main/first', 'closed'],
    ['main/second', 'closed'],
  ])
  const names = [...states.keys()]
  let allowed = 0
  let turn = 0
  const us = cpuOfCall(() => {
    if (states.get(names[turn++ % 2]!) === 'closed') allowed++
  })
  if (allowed === 0) throw new Error('nothing was allowed')
  return { decision: us, 'with its result': us }
}
