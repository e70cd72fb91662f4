import { REASONS, type Reason } from '../../../errors.ts'
import { verdictOn } from '../breaker/rules.ts'
import { DEFAULT_SEGMENT, segmentSubject } from './subject.ts'

/** What was seen on the first route of a subject. */
export type Tally = { readonly attempts: number; readonly failures: number; readonly missing: number }

export const NOTHING: Tally = { attempts: 0, failures: 0, missing: 0 }

/** What this process has seen and not told yet. */
export type Tallies = {
  /** One attempt; `failure` is absent when it went well. */
  add(alias: string, segment: string | undefined, failure?: Reason): void
  /** Takes what there is of a subject. */
  take(subject: string): Tally
  subjects(): readonly string[]
  clear(): void
}

/**
 * Gathers attempts by alias and by segment. A failure that is not the provider's counts nowhere, but for a model that
 * is not found: that speaks about the segment alone, whose key may lack it. Where nobody names segments there is only
 * one, and the provider's failures are those of the alias.
 */
export function createTallies(): Tallies {
  const held = new Map<string, Tally>()
  const add = (subject: string, { attempts, failures, missing }: Tally): void => {
    const before = held.get(subject) ?? NOTHING
    held.set(subject, {
      attempts: before.attempts + attempts,
      failures: before.failures + failures,
      missing: before.missing + missing,
    })
  }
  return {
    add(alias, segment = DEFAULT_SEGMENT, failure) {
      const subject = segmentSubject(alias, segment)
      if (failure === 'model_not_found') return add(subject, { attempts: 1, failures: 0, missing: 1 })
      if (failure !== undefined && (verdictOn(failure) !== 'failed' || isOurs(failure))) return
      const one: Tally = { attempts: 1, failures: failure === undefined ? 0 : 1, missing: 0 }
      add(alias, one)
      add(subject, segment === DEFAULT_SEGMENT ? { ...one, failures: 0 } : one)
    },
    take(subject) {
      const tally = held.get(subject) ?? NOTHING
      held.delete(subject)
      return tally
    },
    subjects: () => [...held.keys()],
    clear: () => held.clear(),
  }
}

/** A refused credential is one of ours: another one may do, and its breaker looks after it. */
function isOurs(failure: Reason): boolean {
  return REASONS[failure].category === 'auth'
}
