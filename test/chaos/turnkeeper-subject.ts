import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { loadConfig } from '../../src/config/load.ts'
import { openClient, type TurnClient } from '../../src/queue/client/client.ts'
import type { TurnHandle } from '../../src/queue/client/handle.ts'
import type { Hold, TurnEvent, TurnResult } from '../../src/queue/types.ts'
import type { RedisConnection } from '../../src/redis/connection.ts'
import { sessionKeys, sessionOfTurn } from '../../src/redis/keys.ts'
import { readEffects } from './effect-log.ts'
import type { PlannedTurn } from './plan.ts'
import type { Story, Subject } from './story.ts'

const CLI = fileURLToPath(new URL('../../bin/turnkeeper.cjs', import.meta.url))

/** What a turn that is not over when time is up may take to be looked at. */
const READING_MS = 10_000

export type TurnkeeperSubjectOptions = {
  readonly configFile: string
  readonly effectsFile: string
  /** Past the proxy, for what is looked up after the fact. */
  readonly admin: RedisConnection
  /** How long a review is left alone, so that no stopped worker can still do what it asks about. */
  readonly reviewAfterMs: number
}

/** Turnkeeper itself: workers of the command line, and the public client. */
export async function openTurnkeeper(options: TurnkeeperSubjectOptions): Promise<Subject> {
  const config = await loadConfig(options.configFile)
  const client = await openClient(config)
  const { prefix } = config.redis
  return {
    command: [CLI, 'worker', '--config', options.configFile],
    run(turn, until) {
      const accepted = enqueue(client, turn, until)
      return { accepted, story: accepted.then((handle) => follow(handle, turn, until)) }
    },
    close: () => client.close(),
  }

  async function follow(handle: TurnHandle | undefined, planned: PlannedTurn, until: number): Promise<Story> {
    if (!handle) return nothingAccepted(planned)
    if (planned.cancelAfterMs !== undefined) {
      void sleep(planned.cancelAfterMs).then(() => persist(async () => handle.cancel('planned'), until))
    }
    const reviews: { real: boolean }[] = []
    for (;;) {
      const result = await persist(
        () => handle.result({ timeoutMs: Math.max(1, until - performance.now()) }),
        until,
      )
      if (result?.status !== 'needs_review') break
      await sleep(options.reviewAfterMs)
      reviews.push(...((await persist(() => review(handle), until)) ?? []))
    }
    return tell(handle, { planned, reviews, until })
  }

  /** Looks into the effect log, as a person would, and says for each open review what it shows. */
  async function review(handle: TurnHandle): Promise<Story['reviews']> {
    if ((await handle.read()).state !== 'needs_review') return []
    const { steps } = sessionKeys(prefix, sessionOfTurn(handle.id)).turn(handle.id)
    const open = Object.entries(await options.admin.hgetall(steps))
      .filter(([field]) => field.endsWith(':review'))
      .map(([, hold]) => JSON.parse(hold) as Hold)
      .filter((hold) => hold.state === 'pending')
    const effects = readEffects(options.effectsFile)
    const decided: { real: boolean }[] = []
    for (const { callId } of open) {
      const real = effects.some((line) => line.turnId === handle.id && line.toolCallId === callId)
      const result = real ? { result: 'done before the worker was lost' } : {}
      await client.resolve(handle.id, callId, { done: real, by: 'effect log', ...result })
      decided.push({ real })
    }
    return decided
  }

  async function tell(
    handle: TurnHandle,
    { planned, reviews, until }: Pick<Story, 'planned' | 'reviews'> & { readonly until: number },
  ): Promise<Story> {
    const keys = sessionKeys(prefix, sessionOfTurn(handle.id)).turn(handle.id)
    const read = await persist(
      () =>
        Promise.all([
          options.admin.hgetall(keys.turn),
          options.admin.xrange(keys.events, '-', '+'),
          options.admin.hgetall(keys.steps),
        ]),
      until + READING_MS,
    )
    if (!read) throw new Error(`Redis did not tell what became of ${handle.id}`)
    const [record, entries, steps] = read
    const events = entries.flatMap(([id, fields]) =>
      (JSON.parse(fields[1] ?? '[]') as TurnEvent[]).map((event) => ({
        ...event,
        at: Number(id.split('-')[0]),
      })),
    )
    const state = record.state as Story['state']
    const result = JSON.parse(record.result || '{}') as Partial<TurnResult>
    const isOver = ['completed', 'failed', 'cancelled'].includes(record.state ?? '')
    const error = isOver ? result.error?.message : describeStuck(record, steps)
    return {
      planned,
      turnId: handle.id,
      state: isOver ? state : 'lost',
      ...(error !== undefined && { error }),
      ...(record.startedAt && { startedAt: Number(record.startedAt) }),
      ...(record.endedAt && { endedAt: Number(record.endedAt) }),
      starts: events.flatMap((event) =>
        event.type === 'turn.started' ? [{ pid: pidOf(event.worker), at: event.at }] : [],
      ),
      committed: committedAt(handle.id, steps),
      restarted: restartedAfterTheirEnd(events),
      wellTold: state !== 'completed' || textOf(events) === result.text,
      reviews,
    }
  }
}

/** With a key a call may be repeated until it is answered; without one its fate is unknown after a lost reply. */
async function enqueue(
  client: TurnClient,
  { id, session, steps, idempotencyKey, resent }: PlannedTurn,
  until: number,
): Promise<TurnHandle | undefined> {
  const options = {
    sessionId: session,
    input: inputOf(steps),
    metadata: { plan: id },
    ...(idempotencyKey !== undefined && { idempotencyKey }),
  }
  const once = (): Promise<TurnHandle> => client.enqueue('chaos', options)
  if (idempotencyKey === undefined) return once().catch(() => undefined)
  const first = await persist(once, until)
  if (!resent) return first
  const second = await persist(once, until)
  if (second?.id !== first?.id) throw new Error(`${id} was accepted twice: ${first?.id}, ${second?.id}`)
  return second
}

function inputOf(steps: PlannedTurn['steps']): string {
  return steps
    .map((calls) =>
      calls.map(({ tool, id, ms }) => `call ${tool} with ${JSON.stringify({ id, ms })}`).join(' and '),
    )
    .join(' then ')
}

/** Asks again until Redis answers. */
async function persist<T>(ask: () => Promise<T>, until: number): Promise<T | undefined> {
  while (performance.now() < until) {
    try {
      return await ask()
    } catch {
      await sleep(200)
    }
  }
  return undefined
}

function nothingAccepted(planned: PlannedTurn): Story {
  const nothing = { starts: [], committed: new Map(), restarted: 0, wellTold: true, reviews: [] }
  return { planned, turnId: undefined, state: 'lost', ...nothing }
}

function pidOf(worker: string): number {
  return Number(worker.split('-').at(-2))
}

function committedAt(turnId: string, steps: Readonly<Record<string, string>>): Map<string, number> {
  const committed = new Map<string, number>()
  for (const [step, header] of Object.entries(steps)) {
    if (step.endsWith(':result')) continue
    const { state, endedAt } = JSON.parse(header) as { state: string; endedAt?: number }
    if (state === 'done' && endedAt !== undefined) committed.set(`${turnId}:${step}`, endedAt)
  }
  return committed
}

function restartedAfterTheirEnd(events: readonly TurnEvent[]): number {
  const ended = new Set<string>()
  let count = 0
  for (const event of events) {
    if (event.type === 'step.completed') ended.add(event.stepId)
    if ((event.type === 'step.started' || event.type === 'step.restarted') && ended.has(event.stepId)) count++
  }
  return count
}

/** What a reader holds as the answer at the end: the deltas of the last step, without what it was told to discard. */
function textOf(events: readonly TurnEvent[]): string {
  let text = ''
  for (const event of events) {
    if (event.type === 'text.delta') text += event.delta
    if (event.type === 'step.restarted' || event.type === 'step.started') text = ''
  }
  return text
}

/** What the journal knows of a turn that has not ended: for whoever looks into a run that lost one. */
function describeStuck(
  record: Readonly<Record<string, string>>,
  steps: Readonly<Record<string, string>>,
): string {
  const { state, worker, epoch, leaseUntil, wakeup, cancel } = record
  const open = Object.entries(steps).filter(
    ([field, text]) => !field.endsWith(':result') && !text.includes('"done"'),
  )
  return JSON.stringify({
    state,
    worker,
    epoch,
    wakeup,
    cancel,
    leaseLeftMs: Number(leaseUntil) - Date.now(),
    open,
  })
}
