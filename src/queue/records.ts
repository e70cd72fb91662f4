import { type SessionRef, sessionIdOf, sessionOfTurn } from '../redis/keys.ts'
import type { Carrier } from '../telemetry/telemetry.ts'
import type { Claim, LostRun, ShownStep } from './journal-types.ts'
import type { Hold, Json, StepKind, TurnOptions, TurnRecord, TurnResult, TurnState } from './types.ts'

/** A turn from the flat reply of HGETALL. */
export function hashToRecord(flat: readonly string[]): TurnRecord {
  return mapToRecord(toMap(flat))
}

function mapToRecord(hash: ReadonlyMap<string, string>): TurnRecord {
  const text = (field: string): string => hash.get(field) ?? ''
  const time = (field: string): number | undefined => (text(field) === '' ? undefined : Number(text(field)))
  const session: SessionRef = sessionOfTurn(text('id'))
  const deadlineAt = time('deadlineAt')
  const startedAt = time('startedAt')
  const endedAt = time('endedAt')
  const holdUntil = text('state') === 'waiting_approval' ? time('holdUntil') : undefined
  return {
    id: text('id'),
    sessionId: sessionIdOf(session),
    agent: text('agent'),
    state: text('state') as TurnState,
    epoch: Number(text('epoch')),
    input: text('input'),
    options: JSON.parse(text('options') || '{}') as TurnOptions,
    carrier: JSON.parse(text('carrier') || '{}') as Carrier,
    position: Number(text('position')),
    acceptedAt: Number(text('acceptedAt')),
    dueAt: Number(text('dueAt')),
    ...(deadlineAt !== undefined && { deadlineAt }),
    ...(startedAt !== undefined && { startedAt }),
    ...(endedAt !== undefined && { endedAt }),
    ...(text('idempotencyKey') !== '' && { idempotencyKey: text('idempotencyKey') }),
    ...(text('worker') !== '' && { worker: text('worker') }),
    ...(text('result') !== '' && { result: JSON.parse(text('result')) as TurnResult }),
    ...(holdUntil !== undefined && { holdUntil }),
    ...(text('retryOf') !== '' && { retryOf: text('retryOf') }),
    ...(text('origin') !== '' && { origin: text('origin') }),
    ...(text('retriedAs') !== '' && { retriedAs: text('retriedAs') }),
  }
}

/** What a claim gives of a turn's record: the first of FIELDS in `claiming.lua`; what follows them only the script looks at. */
const CLAIMED_FIELDS = [
  ...['agent', 'input', 'options', 'carrier', 'position', 'acceptedAt', 'dueAt', 'deadlineAt'],
  ...['idempotencyKey', 'retryOf', 'origin', 'relayed', 'startedAt', 'cancel'],
] as const

/** A turn that was just claimed, from these fields and what the claim has made of the others. */
export function fieldsToTurn(
  fields: readonly (string | null)[],
  { id, epoch, worker, now }: Readonly<Record<'id' | 'epoch' | 'worker' | 'now', string>>,
): Pick<Claim, 'turn' | 'shown' | 'cancel'> {
  const hash = new Map([
    ['id', id],
    ['state', 'running'],
    ['epoch', epoch],
    ['worker', worker],
    ['startedAt', now],
  ])
  for (const [i, name] of CLAIMED_FIELDS.entries()) {
    const value = fields[i]
    if (typeof value === 'string') hash.set(name, value)
  }
  const shown = toShownStep(hash.get('relayed'))
  const cancel = hash.get('cancel')
  return { turn: mapToRecord(hash), ...(shown && { shown }), ...(cancel !== undefined && { cancel }) }
}

/** What is known of a turn's steps, from the flat reply of HGETALL. */
export function stepsOfClaim(steps: readonly string[]): Pick<Claim, 'done' | 'approvals'> {
  const done = new Map<string, Json>()
  const approvals = new Map<string, Hold>()
  for (const [field, value] of toMap(steps)) {
    const colon = field.lastIndexOf(':')
    if (colon < 0) continue // the step's own header, which only the scripts read
    const stepId = field.slice(0, colon)
    if (field.endsWith(':result')) done.set(stepId, JSON.parse(value))
    if (field.endsWith(':approval')) approvals.set(stepId, JSON.parse(value) as Hold)
  }
  return { done, approvals }
}

/** The run before the claim of `epoch`, from what is known at the claim and the flat reply of the turn's steps. */
export function hashToLostRun(
  { shown, done }: Pick<Claim, 'shown' | 'done'>,
  steps: readonly string[],
  { lost, lostAt, epoch }: Readonly<Record<'lost' | 'lostAt' | 'epoch', string>>,
): LostRun {
  const last = Number(epoch) - 1
  const underWay = [...toMap(steps)].flatMap(([stepId, value]) => {
    if (stepId.includes(':')) return [] // its result, or what a person was asked
    const header = JSON.parse(value) as StepHeader
    if (header.state !== 'started' || Number(header.epoch) !== last) return []
    const { kind, name, startedAt } = header
    return [{ stepId, kind, name, startedAt: Number(startedAt) }]
  })
  if (shown?.epoch === last && !done.has(shown.stepId)) {
    const { stepId, name, startedAt } = shown
    underWay.push({ stepId, kind: 'model', name, startedAt })
  }
  return { worker: lost, claimedAt: Number(lostAt), steps: underWay }
}

/** A model step as the token of what was last relayed of it names it: `3.17 m2 1700000000000 coder`. */
export function shownStepToToken({ stepId, startedAt, name }: Omit<ShownStep, 'epoch'>): string {
  return `${stepId} ${Math.round(startedAt)} ${name}`
}

function toShownStep(relayed = ''): ShownStep | undefined {
  const [, epoch, stepId, startedAt, name] = /^(\d+)\.\d+ (\S+) (\d+) (.*)$/s.exec(relayed) ?? []
  if (stepId === undefined) return undefined
  return { epoch: Number(epoch), stepId, startedAt: Number(startedAt), name: name ?? '' }
}

/**
 * What a person is asked or has decided, as JSON that the scripts can read: Lua refuses halves of characters (lone
 * surrogates), which a model may put into the id of a call, and the call could then never be decided on.
 */
export function holdToText(hold: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(hold, (_name, value: unknown) =>
    typeof value === 'string' ? value.toWellFormed() : value,
  )
}

/** As `begin.lua` writes it, as far as it is read here. */
type StepHeader = {
  readonly state: string
  readonly kind: StepKind
  readonly name: string
  readonly epoch: string
  readonly startedAt: number
}

function toMap(flat: readonly string[]): Map<string, string> {
  const map = new Map<string, string>()
  for (let i = 0; i + 1 < flat.length; i += 2) map.set(String(flat[i]), String(flat[i + 1]))
  return map
}
