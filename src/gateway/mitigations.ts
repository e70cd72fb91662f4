/**
 * `POST /v1/mitigations`: Alertmanager's webhook asks for mitigations. It only asks: what moves, for how long and when
 * it returns is decided where calls are routed, so a resolved alert means nothing here.
 */

import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import * as z from 'zod'
import type { Secret } from '../config/secret.ts'
import { TurnkeeperError } from '../errors.ts'
import type { AskForMitigation, RouteAlert } from '../providers/routing/mitigation/alert.ts'

export type MitigationParts = {
  /** Without one the endpoint is closed. */
  readonly alertToken: Secret | undefined
  readonly ask: AskForMitigation
}

const MOST_ALERTS = 1000

/** https://prometheus.io/docs/alerting/latest/configuration/#webhook_config; it grows, so other keys are let be. */
const webhook = z.object({
  alerts: z
    .array(
      z.object({
        status: z.enum(['firing', 'resolved']),
        labels: z.record(z.string(), z.string()),
        startsAt: z.string().max(64).optional(),
        fingerprint: z.string().max(128).optional(),
      }),
    )
    .max(MOST_ALERTS),
})

type Alert = z.infer<typeof webhook>['alerts'][number]

/** Adds the route. Answers 202 with what each firing alert about a route has asked for. */
export function addMitigationRoute(app: FastifyInstance, { alertToken, ask }: MitigationParts): void {
  app.post('/v1/mitigations', async ({ headers, body }, reply) => {
    requireToken(headers.authorization, alertToken)
    const parsed = webhook.safeParse(body)
    if (!parsed.success) {
      throw new TurnkeeperError(
        'invalid_input',
        `expected the body of an Alertmanager webhook: ${z.prettifyError(parsed.error).slice(0, 500)}`,
      )
    }
    const firing = parsed.data.alerts.filter(({ status }) => status === 'firing')
    const about = firing.map(toRouteAlert).filter((alert) => alert !== undefined)
    const mitigations = []
    for (const alert of about) mitigations.push(await ask(alert))
    const ignored = parsed.data.alerts.length - about.length
    return reply.status(202).send({ mitigations, ignored })
  })
}

/** @throws TurnkeeperError `auth/forbidden` where there is no token, `auth/invalid_key` for another one. */
function requireToken(authorization: string | undefined, token: Secret | undefined): void {
  if (token === undefined) {
    throw new TurnkeeperError(
      'forbidden',
      'alerts are not heard here: set server.alertToken, and give it to Alertmanager as bearer credentials',
    )
  }
  const given = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? ''
  if (timingSafeEqual(digest(given), digest(token.reveal()))) return
  throw new TurnkeeperError(
    'invalid_key',
    'expected Authorization: Bearer with the token of server.alertToken',
  )
}

/** Of one length, so that the comparison tells nothing. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** Undefined for an alert that is not about a route. */
function toRouteAlert({ labels, startsAt = '', fingerprint }: Alert): RouteAlert | undefined {
  const { provider, model, alertname = 'an alert' } = labels
  const route = provider && model ? `${provider}/${model}` : labels.route
  if (!route) return undefined
  const identity = fingerprint ?? JSON.stringify(Object.entries(labels).sort())
  const id = createHash('sha256').update(`${identity} ${startsAt}`).digest('hex').slice(0, 32)
  return { id, route, note: alertname.replaceAll(/[^\x20-\x7e]+/g, ' ') }
}
