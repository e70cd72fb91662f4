/**
 * The two spans that hold one run of a turn together. Their ids follow from the turn and its epoch, so that the worker
 * that takes a turn over can tell of the run whose worker died: the steps that it had sent hang from these spans.
 */

import type { Claim } from '../../queue/journal-types.ts'
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

export function knownAs({ id }: TurnRecord, { epoch }: Pick<Run, 'epoch'>): KnownAs {
  return { trace: id, span: `${id} ${epoch}` }
}

/**
 * The spans of the run before this one, whose worker never ended them: from its claim until it was taken over. One that
 * was only paused sends them a second time when it wakes; stores take spans of the same id for one.
 */
export async function tellLostRun(telemetry: Telemetry, { turn, epoch, lost }: Claim, queue: string) {
  if (!lost) return
  const run = { epoch: epoch - 1, worker: lost.worker }
  const startedAt = lost.claimedAt
  await telemetry.observe(
    'process turns',
    { ...processAttributes(turn, run, queue), 'turn.outcome': 'lost' },
    async (span) => {
      span.fail('worker_lost')
      await telemetry.observe(
        'invoke_agent',
        agentAttributes(turn),
        async (agent) => agent.fail('worker_lost'),
        {
          knownAs: knownAs(turn, run),
          startedAt,
        },
      )
    },
    { ...processOptions(turn, run), startedAt },
  )
}
