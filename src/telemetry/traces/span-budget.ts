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

/** Of a span that has none above it, and of all spans within it, which keep it (S3 of `span.ts`). */
export class SpanBudget {
  /** The outermost span of this process. */
  readonly root: ActiveSpan
  /** Epoch milliseconds at the origin of `performance.now()`: the same for all of these spans, so that they fit together. */
  readonly origin = Date.now() - performance.now()
  #made = 1
  #dropped = 0

  constructor(root: ActiveSpan) {
    this.root = root
  }

  get dropped(): number {
    return this.#dropped
  }

  /** Takes one more span; false where none is left, and no further one may be made. */
  spend(): boolean {
    const isLeft = this.#made < MAX_SPANS
    if (isLeft) this.#made += 1
    else this.#dropped += 1
    return isLeft
  }
}
