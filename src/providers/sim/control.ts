/**
 * Which fault a request meets. The suffix of the model name decides first, then the rules for that model, then the
 * rules for `*`; among equals the newest. A rule whose share does not hit lets the next one decide.
 */

import { z } from 'zod'
import { type Fault, faultOfModel, parseFault } from './faults.ts'
import type { Random } from './random.ts'

/** A fault for a model. `times`: so many requests; `share`: of the requests, 0 to 1; `forMs`: from now on. */
export type ControlRule = {
  readonly model: string
  readonly fault: string
  readonly times?: number
  readonly share?: number
  readonly forMs?: number
}

/** `problem` says what is wrong with the rule or the model name, in one sentence. */
export type ControlResult = { readonly type: 'ok' } | { readonly type: 'refused'; readonly problem: string }
export type ChosenFault =
  | { readonly type: 'fault'; readonly fault: Fault }
  | { readonly type: 'healthy' }
  | { readonly type: 'refused'; readonly problem: string }

export type Control = {
  add(rule: unknown): ControlResult
  clear(): void
  choose(model: string): ChosenFault
}

type ActiveRule = { readonly rule: ControlRule; readonly fault: Fault; readonly until: number; left: number }

const ruleSchema = z.strictObject({
  model: z.string().min(1),
  fault: z.string().min(1),
  times: z.int().positive().optional(),
  share: z.number().min(0).max(1).optional(),
  forMs: z.number().positive().optional(),
})

/** An empty set of rules. `now` is in milliseconds. */
export function createControl({ random, now }: { random: Random; now: () => number }): Control {
  const rules: ActiveRule[] = []

  const takes = (active: ActiveRule): boolean => {
    if (active.left <= 0 || now() >= active.until) return false
    if (active.rule.share !== undefined && random() >= active.rule.share) return false
    active.left -= 1
    return true
  }

  return {
    add(candidate) {
      const parsed = ruleSchema.safeParse(candidate)
      if (!parsed.success) return { type: 'refused', problem: z.prettifyError(parsed.error) }
      const rule = parsed.data as ControlRule // zod writes optional keys as possibly undefined; JSON has none such
      const fault = parseFault(rule.fault)
      if (fault.type === 'unknown') return { type: 'refused', problem: fault.problem }
      const until = now() + (rule.forMs ?? Number.POSITIVE_INFINITY)
      rules.unshift({ rule, fault: fault.fault, until, left: rule.times ?? Number.POSITIVE_INFINITY })
      return { type: 'ok' }
    },
    clear() {
      rules.length = 0
    },
    choose(model) {
      const own = faultOfModel(model)
      if (own?.type === 'unknown') return { type: 'refused', problem: own.problem }
      if (own !== undefined) return own
      const hit =
        rules.find((active) => active.rule.model === model && takes(active)) ??
        rules.find((active) => active.rule.model === '*' && takes(active))
      return hit === undefined ? { type: 'healthy' } : { type: 'fault', fault: hit.fault }
    },
  }
}
