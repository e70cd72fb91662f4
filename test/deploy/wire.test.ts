import { expect, test } from 'vitest'
import { hear, PAGERDUTY_PATH, SLACK_PATH } from '../../scripts/stack/wire.ts'

const note = {
  channel: '#pages',
  attachments: [
    { title: 'A · b', title_link: 'https://example.com/d', text: 'What.', fallback: 'A', color: 'danger' },
  ],
}
const trigger = {
  routing_key: '0123456789abcdef0123456789abcdef',
  event_action: 'trigger',
  dedup_key: 'a1',
  payload: { summary: 'A · b', source: 'http://alertmanager', severity: 'critical' },
}
const resolve = { routing_key: trigger.routing_key, event_action: 'resolve', dedup_key: 'a1' }
const send = (path: string, body: unknown) => hear(path, JSON.stringify(body))

test('messages are answered as Slack and PagerDuty answer them', () => {
  expect(send(SLACK_PATH, note)).toMatchObject({ type: 'accepted', answer: { status: 200, text: 'ok' } })
  for (const event of [trigger, resolve]) {
    expect(send(PAGERDUTY_PATH, event)).toMatchObject({
      type: 'accepted',
      answer: {
        status: 202,
        text: '{"status":"success","message":"Event processed","dedup_key":"a1"}',
      },
    })
  }
})

test.each([
  ['a message without content', SLACK_PATH, { channel: '#pages' }],
  ['a title that leads nowhere', SLACK_PATH, { attachments: [{ ...note.attachments[0], title_link: '/d' }] }],
  ['a colour that there is not', SLACK_PATH, { attachments: [{ ...note.attachments[0], color: 'red' }] }],
  ['a page without a source', PAGERDUTY_PATH, { ...trigger, payload: { ...trigger.payload, source: '' } }],
  ['another severity', PAGERDUTY_PATH, { ...trigger, payload: { ...trigger.payload, severity: 'none' } }],
  ['a key of another length', PAGERDUTY_PATH, { ...trigger, routing_key: 'short' }],
  ['an end without a key of its own', PAGERDUTY_PATH, { ...resolve, dedup_key: '' }],
  ['what is no webhook', '/deadman', { alerts: 'none' }],
])('%s is refused', (_what, path, body) => {
  const heard = send(path, body)
  expect(heard).toMatchObject({ type: 'refused', answer: { status: 400 } })
})
