/**
 * What comes in where Slack, PagerDuty and other webhooks would be, held to what these services accept, so that a
 * template which one of them would refuse is refused here.
 */

import * as z from 'zod'

/** https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, and its attachments. */
const slackMessage = z
  .object({
    channel: z.string().startsWith('#').optional(),
    username: z.string().optional(),
    text: z.string().max(40_000).optional(),
    attachments: z
      .array(
        z.object({
          fallback: z.string().min(1),
          title: z.string().min(1),
          title_link: z.url(),
          text: z.string().min(1),
          color: z.string().regex(/^(?:good|warning|danger|#[0-9a-f]{6})$/i),
          footer: z.string().optional(),
          mrkdwn_in: z.array(z.enum(['text', 'pretext', 'fields'])).optional(),
        }),
      )
      .max(100)
      .optional(),
  })
  .refine(({ text, attachments = [] }) => text !== undefined || attachments.length > 0, { error: 'no_text' })

const dedupKey = z.string().min(1).max(255)
const routingKey = z.string().length(32)

/** https://developer.pagerduty.com/docs/send-alert-event: Events API v2. */
const pagerDutyEvent = z.discriminatedUnion('event_action', [
  z.object({
    event_action: z.literal('trigger'),
    routing_key: routingKey,
    dedup_key: dedupKey,
    client: z.string().optional(),
    client_url: z.url().optional(),
    payload: z.object({
      summary: z.string().min(1).max(1024),
      source: z.string().min(1),
      severity: z.enum(['critical', 'error', 'warning', 'info']),
      component: z.string().optional(),
      group: z.string().optional(),
      class: z.string().optional(),
      custom_details: z.record(z.string(), z.unknown()).optional(),
    }),
    links: z.array(z.object({ href: z.url(), text: z.string().optional() })).optional(),
  }),
  // What more stands there is not looked at.
  z.object({
    event_action: z.enum(['resolve', 'acknowledge']),
    routing_key: routingKey,
    dedup_key: dedupKey,
  }),
])

/** https://prometheus.io/docs/alerting/latest/configuration/#webhook_config */
const alertmanagerWebhook = z.object({
  version: z.literal('4'),
  alerts: z.array(
    z.object({
      status: z.enum(['firing', 'resolved']),
      labels: z.record(z.string(), z.string()),
      annotations: z.record(z.string(), z.string()),
    }),
  ),
})

export type SlackMessage = z.infer<typeof slackMessage>
export type PagerDutyEvent = z.infer<typeof pagerDutyEvent>
export type AlertmanagerWebhook = z.infer<typeof alertmanagerWebhook>

export type Message =
  | { readonly to: 'slack'; readonly body: SlackMessage }
  | { readonly to: 'pagerduty'; readonly body: PagerDutyEvent }
  | { readonly to: 'webhook'; readonly body: AlertmanagerWebhook }

export type Answer = { readonly status: number; readonly type: string; readonly text: string }

export type Heard =
  | { readonly type: 'accepted'; readonly message: Message; readonly answer: Answer }
  | { readonly type: 'refused'; readonly problem: string; readonly answer: Answer }

/** The path of Events API v2 at its own host. */
export const PAGERDUTY_PATH = '/v2/enqueue'
/** By the name of the secret that holds the address. */
export const SLACK_PATH = '/slack_webhook_url'

/** What a request is, and what the service behind its path would answer. */
export function hear(path: string, text: string): Heard {
  const body = parsed(text)
  if (path === SLACK_PATH) {
    const message = slackMessage.safeParse(body)
    if (message.success) return accepted({ to: 'slack', body: message.data }, plain(200, 'ok'))
    return refused(message.error, plain(400, 'invalid_payload'))
  }
  if (path === PAGERDUTY_PATH) {
    const event = pagerDutyEvent.safeParse(body)
    if (event.success) {
      const { dedup_key } = event.data
      const answer = json(202, { status: 'success', message: 'Event processed', dedup_key })
      return accepted({ to: 'pagerduty', body: event.data }, answer)
    }
    const errors = event.error.issues.map(({ path: where, message }) => `${where.join('.')}: ${message}`)
    const answer = json(400, { status: 'invalid event', message: 'Event object is invalid', errors })
    return refused(event.error, answer)
  }
  const webhook = alertmanagerWebhook.safeParse(body)
  if (webhook.success) return accepted({ to: 'webhook', body: webhook.data }, plain(200, 'ok'))
  return refused(webhook.error, plain(400, 'no webhook'))
}

const accepted = (message: Message, answer: Answer): Heard => ({ type: 'accepted', message, answer })

const refused = (error: z.ZodError, answer: Answer): Heard => ({
  type: 'refused',
  problem: z.prettifyError(error),
  answer,
})

const plain = (status: number, text: string): Answer => ({ status, type: 'text/plain', text })

const json = (status: number, body: object): Answer => ({
  status,
  type: 'application/json',
  text: JSON.stringify(body),
})

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
