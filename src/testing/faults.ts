/**
 * A worker that is lost at a chosen moment, as the journal sees it: what was not written stays unwritten, the turn is
 * claimed anew under a higher epoch, and its finished steps are replayed. It comes back after a second.
 */

import type { Journal } from '../queue/journal.ts'

export type LostWorker = {
  /** `m1` is the first model call, `m1.2` the second tool call that it asked for. */
  readonly step: string
  /**
   * - `before_run`: the step is begun, and has done nothing
   * - `before_commit`: it has done its work, and nobody knows (the default)
   * - `after_commit`: its result is kept, what follows is not begun
   */
  readonly when?: 'before_run' | 'before_commit' | 'after_commit'
  /** How often; default once. */
  readonly times?: number
}

export type Faults = {
  loseWorker(fault: LostWorker): void
  /** The journal of a worker to which the faults happen. */
  around(journal: Journal): Journal
}

type Moment = Required<LostWorker>['when']

export function createFaults(): Faults {
  const planned: { step: string; when: Moment; left: number }[] = []
  const strike = (step: string, when: Moment): void => {
    const fault = planned.find((candidate) => {
      return candidate.left > 0 && candidate.step === step && candidate.when === when
    })
    if (!fault) return
    fault.left--
    throw new Error(`the test kit has lost the worker at ${step}, ${when}`)
  }
  return {
    loseWorker({ step, when = 'before_commit', times = 1 }) {
      planned.push({ step, when, left: times })
    },
    around: (journal) => ({
      ...journal,
      relay(claim, step) {
        if (step) strike(step.stepId, 'before_run') // a model's step begins with its relay
        return journal.relay(claim, step)
      },
      async begin(claim, step) {
        const begun = await journal.begin(claim, step)
        if (begun.outcome === 'go') strike(step.stepId, 'before_run')
        return begun
      },
      async commit(claim, step) {
        strike(step.stepId, 'before_commit')
        const written = await journal.commit(claim, step)
        strike(step.stepId, 'after_commit')
        return written
      },
      async finish(claim, ending) {
        // The step that a turn completes with is committed in the write that completes it.
        const last = ending.state === 'completed' ? ending.result?.steps.at(-1)?.id : undefined
        if (last !== undefined) strike(last, 'before_commit')
        const finished = await journal.finish(claim, ending)
        if (last !== undefined) strike(last, 'after_commit')
        return finished
      },
    }),
  }
}
