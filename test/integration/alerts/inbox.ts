import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import type { Receiver } from '../../../scripts/stack/receiver.ts'
import type { PagerDutyEvent, SlackMessage } from '../../../scripts/stack/wire.ts'

export type Note = NonNullable<SlackMessage['attachments']>[number] & { readonly channel: string }
export type Page = Extract<PagerDutyEvent, { event_action: 'trigger' }>

/** What an alert is and what it is about, as the title of its notification has it. */
export type Subject = readonly [alert: string, about: string]

/** An alert fires within seconds here; a busy machine takes its time. */
const PATIENCE = { timeout: 45_000, interval: 200 }

/** The mail of the people on call, from `sinceMs` on. */
export function openInbox({ received }: Receiver, sinceMs = 0) {
  const mail = () => received.filter(({ atMs }) => atMs >= sinceMs)
  const notes = (): Note[] =>
    mail().flatMap((it) =>
      it.to === 'slack'
        ? (it.body.attachments ?? []).map((note) => ({ ...note, channel: it.body.channel ?? '' }))
        : [],
    )
  const events = (): PagerDutyEvent[] => mail().flatMap((it) => (it.to === 'pagerduty' ? [it.body] : []))
  const note = async (title: string): Promise<Note> => {
    await expect.poll(() => notes().map((one) => one.title), PATIENCE).toContain(title)
    return notes().find((one) => one.title === title) as Note
  }
  const page = async (title: string): Promise<Page> => {
    const triggers = () => events().filter((event) => event.event_action === 'trigger')
    await expect.poll(() => triggers().map(({ payload }) => payload.summary), PATIENCE).toContain(title)
    return triggers().find(({ payload }) => payload.summary === title) as Page
  }
  return {
    /** Slack's message that it fires. */
    note: ([alert, about]: Subject) => note(`${alert} · ${about}`),
    /** Slack's message that it is over. */
    resolved: ([alert, about]: Subject) => note(`Resolved: ${alert} · ${about}`),
    page: ([alert, about]: Subject) => page(`${alert} · ${about}`),
    /** That PagerDuty was told of the end of what it was told of. */
    async pageResolved(page: Page): Promise<void> {
      const ended = () => events().flatMap((it) => (it.event_action === 'resolve' ? [it.dedup_key] : []))
      await expect.poll(ended, PATIENCE).toContain(page.dedup_key)
    },
  }
}

const anchors = new Set(
  [...readFileSync('docs/runbooks.md', 'utf8').matchAll(/^## (.+)$/gm)].map(([, title = '']) =>
    title.toLowerCase(),
  ),
)

/** Whether a link leads to a section of the runbooks that exists. */
export function leadsToRunbook(link: string): boolean {
  const { pathname, hash } = new URL(link)
  return pathname.endsWith('/docs/runbooks.md') && anchors.has(hash.slice(1))
}

/** The links of a text in Slack's markup, by their names. */
export function linksOf(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/<([^|>]+)\|([^>]+)>/g)].map(([, url, name]) => [name, url]))
}
