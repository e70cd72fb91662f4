/**
 * A bound on the spans that one run leaves: an agent that goes in circles must not fill a trace until no store keeps
 * it and no page draws it. The first spans are kept; of the rest the outermost one says how many there were, and what
 * went wrong in them.
 */

import { type Context, createContextKey } from '@opentelemetry/api'
import type { ActiveSpan } from '../telemetry.ts'

/** For each span that begins a trace in this process, itself included: 125 steps of four spans. */
export const MAX_SPANS = 500

const KEY = createContextKey('turnkeeper span budget')

export type SpanBudget = {
  /** The outermost span of this process. */
  readonly root: ActiveSpan
  /** No further span may be made. */
  readonly isSpent: boolean
}

type Counted = { readonly root: ActiveSpan; made: number; dropped: number }

/** The budget of a context, with one more span taken from it; undefined where none is open. */
export function spendSpan(within: Context): SpanBudget | undefined {
  const counted = within.getValue(KEY) as Counted | undefined // the key is ours alone
  if (counted === undefined) return undefined
  const isSpent = counted.made >= MAX_SPANS
  if (isSpent) counted.dropped += 1
  else counted.made += 1
  return { root: counted.root, isSpent }
}

export type OpenBudget = {
  /** `context` with this budget for all spans made in it. */
  in(context: Context): Context
  /** Says on the span how many others were dropped, if any. */
  close(): void
}

/** The budget of a span that has none above it. */
export function openBudget(root: ActiveSpan): OpenBudget {
  const counted: Counted = { root, made: 1, dropped: 0 }
  return {
    in: (context) => context.setValue(KEY, counted),
    close() {
      if (counted.dropped > 0) root.set({ 'spans.dropped': counted.dropped })
    },
  }
}
