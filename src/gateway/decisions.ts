/** The turns API for people: cancel, approve or reject a call, end a review. Bodies are strict. */

import type { FastifyInstance } from 'fastify'
import * as z from 'zod'
import { TurnkeeperError } from '../errors.ts'
import type { TurnClient } from '../queue/client/client.ts'

type TurnPath = { readonly Params: { readonly id: string } }
type CallPath = { readonly Params: { readonly id: string; readonly callId: string } }

const reasonText = z.string().min(1).max(1_000)
const cancelBody = z.strictObject({ reason: reasonText.optional() })
const approvalBody = z.strictObject({
  decision: z.enum(['approve', 'reject']),
  reason: reasonText.optional(),
})
const reviewBody = z.discriminatedUnion('done', [
  z.strictObject({ done: z.literal(true), result: z.json().optional() }),
  z.strictObject({ done: z.literal(false) }),
])

/** Adds the routes below `/v1/turns/:id`. Each answers with the turn's id and state; 202 while its worker has to act. */
export function addDecisionRoutes(app: FastifyInstance, client: TurnClient): void {
  const standing = async (id: string): Promise<{ id: string; status: string }> => {
    const { state } = await client.turn(id).read()
    return { id, status: state }
  }

  app.post<TurnPath>('/v1/turns/:id/cancel', async ({ params: { id }, body, caller: { by } }, reply) => {
    const { reason } = parse(cancelBody, body ?? {})
    await client.turn(id).cancel(reason, { by })
    const now = await standing(id)
    return reply.status(now.status === 'running' ? 202 : 200).send(now)
  })

  app.post<CallPath>(
    '/v1/turns/:id/approvals/:callId',
    async ({ params: { id, callId }, body, caller: { by } }) => {
      const { decision, reason } = parse(approvalBody, body)
      const decider = { by, ...(reason !== undefined && { reason }) }
      await (decision === 'approve'
        ? client.approve(id, callId, decider)
        : client.reject(id, callId, decider))
      return standing(id)
    },
  )

  app.post<CallPath>(
    '/v1/turns/:id/reviews/:callId',
    async ({ params: { id, callId }, body, caller: { by } }) => {
      const review = parse(reviewBody, body)
      await client.resolve(
        id,
        callId,
        review.done ? { done: true, result: review.result ?? null, by } : { done: false, by },
      )
      return standing(id)
    },
  )
}

function parse<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`)
  throw new TurnkeeperError('invalid_input', problems.join('; '))
}
