/**
 * A bound on the spans that one run leaves: an agent that goes in circles must not fill a trace until no store keeps
 * it and no page draws it. The first spans are kept; of the rest the outermost one says how many there were, and what
 * went wrong in them.
 */

import { createContextKey } from '@opentelemetry/api'
import type { ActiveSpan } from '../telemetry.ts'

/** For each span that begins a trace in this process, itself included: 125 steps of four spans. */
export const MAX_SPANS = 500

/** Where a context keeps the budget of what is made in it. */
export const BUDGET_KEY = createContextKey('turnkeeper span budget')

/** Of a span that has none above it, and of all spans within it. */
export type SpanBudget = {
  /** The outermost span of this process. */
  readonly root: ActiveSpan
  /** Epoch milliseconds at the origin of `performance.now()`: the same for all of these spans, so that they fit together. */
  readonly origin: number
  made: number
  dropped: number
}

/** The budget of `root`, which is the first span of it. */
export function openBudget(root: ActiveSpan): SpanBudget {
  return { root, origin: Date.now() - performance.now(), made: 1, dropped: 0 }
}

/** Takes one more span from a budget; false where it is spent, and no further span may be made. */
export function spendSpan(budget: SpanBudget): boolean {
  const isLeft = budget.made < MAX_SPANS
  if (isLeft) budget.made += 1
  else budget.dropped += 1
  return isLeft
}
