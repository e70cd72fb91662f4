/** The turns API: enqueue, read, follow. */

import type { FastifyInstance } from 'fastify'
import { suggestion } from '../config/problems.ts'
import { TurnkeeperError } from '../errors.ts'
import type { EnqueueOptions, TurnClient } from '../queue/client/client.ts'
import { addDecisionRoutes } from './decisions.ts'
import { type EventStreamParts, sendEvents } from './event-stream.ts'
import type { Limits } from './limits.ts'

type TurnPath = { readonly Params: { readonly id: string } }

type EventsPath = TurnPath & { readonly Querystring: { readonly lastEventId?: unknown } }

/** Adds the routes below `/v1/turns`. */
export function addTurnRoutes(
  app: FastifyInstance,
  parts: { client: TurnClient; limits: Limits } & EventStreamParts,
): void {
  const { client, limits } = parts
  addDecisionRoutes(app, client)

  app.post('/v1/turns', async ({ body, headers, caller }, reply) => {
    const { agent, ...asked } = checkBody(body)
    const options = caller.claim(asked)
    await limits.requireBudget(caller.key)
    const traceparent = options.traceparent ?? traceOf(headers.traceparent)
    const idempotencyKey = keyOf(options.idempotencyKey, headers['idempotency-key'])
    const turn = await client.enqueue(agent, {
      ...options,
      ...(traceparent !== undefined && { traceparent }),
      ...(idempotencyKey !== undefined && { idempotencyKey }),
    })
    // a repeated key gives a turn that may be far along
    const { state } = await turn.read()
    return reply
      .status(202)
      .header('location', `/v1/turns/${encodeURIComponent(turn.id)}`)
      .send({ id: turn.id, sessionId: turn.sessionId, status: state })
  })

  app.get<TurnPath>('/v1/turns/:id', async ({ params }, reply) => {
    return reply.header('cache-control', 'no-store').send(await client.turn(params.id).details())
  })

  // a HEAD of a stream would wait for its end
  app.get<EventsPath>(
    '/v1/turns/:id/events',
    { exposeHeadRoute: false },
    async ({ params, query, headers }, reply) => {
      const turn = client.turn(params.id)
      const lastEventId = eventIdOf(headers['last-event-id'] ?? query.lastEventId)
      const { state } = await turn.read()
      await sendEvents(turn, reply, { ...parts, state, ...(lastEventId !== undefined && { lastEventId }) })
      return reply
    },
  )
}

/** Every option of `enqueue`, so that the compiler notices a new one. */
const OPTION_NAMES = {
  input: true,
  sessionId: true,
  idempotencyKey: true,
  priority: true,
  delayMs: true,
  deadlineMs: true,
  tenant: true,
  segment: true,
  model: true,
  parameters: true,
  metadata: true,
  traceparent: true,
} as const satisfies Record<keyof EnqueueOptions, true>

/** Keys are checked here, values where the options are (in the client). */
function checkBody(body: unknown): EnqueueOptions & { readonly agent: string } {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new TurnkeeperError('invalid_input', 'body: expected a JSON object with "agent" and "input"')
  }
  const known = ['agent', ...Object.keys(OPTION_NAMES)]
  const unknown = Object.keys(body).filter((key) => !known.includes(key))
  if (unknown.length > 0) {
    const problems = unknown.map((key) => {
      const name = key.slice(0, 100)
      return `${name}: unknown key${suggestion(name, known) || ` (known: ${known.join(', ')})`}`
    })
    throw new TurnkeeperError('invalid_input', problems.join('; '))
  }
  return body as EnqueueOptions & { readonly agent: string } // names checked here, values by the client's schema
}

/** As the W3C wants it, a malformed header is as good as none: https://www.w3.org/TR/trace-context/. */
function traceOf(header: string | readonly string[] | undefined): string | undefined {
  const isValid = typeof header === 'string' && /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(header)
  return isValid ? header : undefined
}

function keyOf(
  inBody: string | undefined,
  inHeader: string | readonly string[] | undefined,
): string | undefined {
  if (inHeader === undefined || inHeader === inBody) return inBody
  if (inBody === undefined && typeof inHeader === 'string') return inHeader
  throw new TurnkeeperError(
    'invalid_input',
    'idempotencyKey: the body and the Idempotency-Key header differ; send one of them',
  )
}

/** An empty id means "from the start", as browsers send it; the form of others is the reader's to check. */
function eventIdOf(value: unknown): string | undefined {
  return value === undefined || value === '' ? undefined : String(value)
}
