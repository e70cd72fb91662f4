import type { Notification } from './receiver.ts'
import type { PagerDutyEvent, SlackMessage } from './wire.ts'

/** A notification as its reader would see it, in lines. */
export function notificationLines({ to, body, path, atMs }: Notification): string[] {
  const at = new Date(atMs).toISOString().slice(11, 19)
  if (to === 'slack') return slackLines(at, body)
  if (to === 'pagerduty') return [`${at} PagerDuty, ${pageText(body)}`]
  return body.alerts.map(({ status, labels }) => `${at} ${path}: ${status} ${labels.alertname}`)
}

function slackLines(at: string, { channel, attachments = [] }: SlackMessage): string[] {
  return attachments.flatMap(({ title, text }) => [
    `${at} Slack, ${channel}: ${title}`,
    ...text.split('\n').map((line) => `           ${line}`),
  ])
}

function pageText(event: PagerDutyEvent): string {
  if (event.event_action === 'trigger') return `trigger: ${event.payload.summary}`
  return `${event.event_action}: ${event.dedup_key.slice(0, 12)}`
}
