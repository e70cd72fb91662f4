/**
 * The spans that hold one run of a turn together. Their ids follow from the turn, its epoch and the step, so that the
 * worker that takes a turn over can tell of the run whose worker died: what that one had sent hangs from these spans.
 */

import type { Claim, LostRun } from '../../queue/journal-types.ts'
import type { TurnRecord } from '../../queue/types.ts'
import type { Attributes, KnownAs, ObserveOptions, Telemetry } from '../../telemetry/telemetry.ts'

/** One claim of a turn by a worker. */
export type Run = { readonly epoch: number; readonly worker: string }

export function processAttributes(turn: TurnRecord, { epoch, worker }: Run, queue: string): Attributes {
  return {
    'messaging.system.name': 'bullmq',
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'messaging.destination.name': queue,
    'messaging.message.id': turn.id,
    'turn.epoch': epoch,
    'turn.worker': worker,
  }
}

/** Below the span that sent the turn, and linked to it, whoever runs the turn and how often. */
export function processOptions(turn: TurnRecord, run: Pick<Run, 'epoch'>): ObserveOptions {
  return { parent: turn.carrier, links: [turn.carrier], knownAs: knownAs(turn, run) }
}

export function agentAttributes(turn: TurnRecord): Attributes {
  return {
    'gen_ai.operation.name': 'invoke_agent',
    'gen_ai.agent.name': turn.agent,
    'gen_ai.conversation.id': turn.sessionId,
    'agent.turn.id': turn.id,
  }
}

/** Of a run, or of one step of it. */
export function knownAs({ id }: TurnRecord, { epoch }: Pick<Run, 'epoch'>, stepId = ''): KnownAs {
  return { trace: id, span: `${id} ${epoch} ${stepId}` }
}

export type LostRunOptions = {
  readonly telemetry: Telemetry
  readonly queue: string
  /** Other names are of the model's making. */
  readonly isTool: (name: string) => boolean
}

/**
 * The spans of the run before this one that its worker never ended: from its claim, or the start of a step, until it
 * was taken over. A worker that was only paused sends them a second time when it wakes; stores take spans of the same
 * id for one.
 */
export async function tellLostRun({ turn, epoch, lost }: Claim, options: LostRunOptions): Promise<void> {
  if (!lost) return
  const { telemetry, queue, isTool } = options
  const run = { epoch: epoch - 1, worker: lost.worker }
  const tellStep = (step: LostRun['steps'][number]): Promise<void> =>
    telemetry.observe(
      step.kind === 'model' ? 'chat' : 'execute_tool',
      step.kind === 'model'
        ? { 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': step.name }
        : {
            'gen_ai.operation.name': 'execute_tool',
            'gen_ai.tool.name': isTool(step.name) ? step.name : '_OTHER',
          },
      async (span) => span.fail(LOST),
      { knownAs: knownAs(turn, run, step.stepId), startedAt: step.startedAt },
    )
  const startedAt = lost.claimedAt
  await telemetry.observe(
    'process turns',
    { ...processAttributes(turn, run, queue), 'turn.outcome': 'lost' },
    async (span) => {
      span.fail(LOST)
      await telemetry.observe(
        'invoke_agent',
        agentAttributes(turn),
        async (agent) => {
          agent.fail(LOST)
          await Promise.all(lost.steps.map(tellStep))
        },
        { knownAs: knownAs(turn, run), startedAt },
      )
    },
    { ...processOptions(turn, run), startedAt },
  )
}

const LOST = 'worker_lost'
