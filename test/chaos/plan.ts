import { pick, type Random, seededRandom } from '../../src/providers/sim/random.ts'

/** One tool call of a planned turn; `id` names the effect wherever and however often it happens. */
export type PlannedCall = { readonly id: string; readonly tool: ToolName; readonly ms: number }

export type PlannedTurn = {
  readonly id: string
  readonly session: string
  readonly atMs: number
  /** Calls of each step; calls of one step run side by side. */
  readonly steps: readonly (readonly PlannedCall[])[]
  readonly idempotencyKey?: string
  /** Enqueued a second time with the same key, as after a lost reply. */
  readonly resent: boolean
  readonly cancelAfterMs?: number
}

export type FaultKind = (typeof FAULT_KINDS)[number]

export type PlannedFault = { readonly kind: FaultKind; readonly atMs: number; readonly roll: number }

export type Plan = {
  readonly turns: readonly PlannedTurn[]
  readonly faults: readonly PlannedFault[]
  readonly lengthMs: number
}

export type ToolName = 'look_up' | 'put' | 'pay'

export const FAULT_KINDS = [
  'kill9',
  'sigterm',
  'sigstop',
  'connKill',
  'redisRestart',
  'debugSleep',
  'droppedReply',
] as const

/** Turns of one session, on average. */
const TURNS_A_SESSION = 6
/** Time between two turns, in milliseconds: what two cores do with room for the faults. */
const TURN_EVERY_MS = 95
/** Each kind comes this often in 100 turns: a little more than the once that a run must show. */
const FAULTS_OF_A_KIND = 1.1

/** Everything that a run will do, from its seed alone. */
export function planRun(turns: number, seed: number): Plan {
  const random = seededRandom(seed)
  const lengthMs = Math.max(10_000, turns * TURN_EVERY_MS)
  const sessions = Math.max(1, Math.ceil(turns / TURNS_A_SESSION))
  const planned = Array.from({ length: turns }, (_, i) => {
    const atMs = (i / turns) * lengthMs
    return planTurn(`t${i}`, `s${Math.floor(random() * sessions)}`, { atMs, random })
  })
  return { turns: planned, faults: planFaults(turns, lengthMs, random), lengthMs }
}

function planTurn(
  id: string,
  session: string,
  { atMs, random }: { atMs: number; random: Random },
): PlannedTurn {
  let count = 0
  const call = (): PlannedCall => ({
    id: `${id}.${count++}`,
    tool: pick(['look_up', 'put', 'pay'], random),
    ms: 30 + Math.floor(random() * 300),
  })
  const steps = Array.from({ length: 1 + Math.floor(random() * 3) }, () =>
    random() < 0.2 ? [call(), call()] : [call()],
  )
  const keyed = random() < 0.5
  const resent = random() < 0.2
  const cancelled = random() < 0.03
  const cancelAfterMs = Math.floor(random() * 800)
  return {
    id,
    session,
    atMs,
    steps,
    resent: keyed && resent,
    ...(keyed && { idempotencyKey: `key-${id}` }),
    ...(cancelled && { cancelAfterMs }),
  }
}

/** The kinds take turns in an order of chance, so that none is left to luck. */
function planFaults(turns: number, lengthMs: number, random: Random): PlannedFault[] {
  const rounds = Math.ceil((turns / 100) * FAULTS_OF_A_KIND)
  const kinds = Array.from({ length: rounds }, () => shuffled(FAULT_KINDS, random)).flat()
  const from = 1_500
  const every = (lengthMs - from) / kinds.length
  return kinds.map((kind, i) => ({ kind, atMs: from + (i + random() * 0.8) * every, roll: random() }))
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => [random(), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item)
}
