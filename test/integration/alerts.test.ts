/**
 * From the fault to the pager: the stack of `deploy/`, with Prometheus and Alertmanager, under one fault after another.
 * The tests tell one story, in order.
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { findPrograms } from '../../scripts/stack/programs.ts'
import { createReceiver, type Receiver } from '../../scripts/stack/receiver.ts'
import type { Stack } from '../../scripts/stack/stack.ts'
import { watchDeadman } from './alerts/deadman.ts'
import { leadsToRunbook, linksOf, type Note, openInbox, type Page, type Subject } from './alerts/inbox.ts'
import { QUICKENED, writeQuickerCopy } from './alerts/quicker.ts'
import * as story from './alerts/story.ts'

const programs = findPrograms()
if (typeof programs === 'string') console.warn(`alerts are not fired: ${programs}`)

const HTML: Subject = ['ProviderHtmlPayloads', story.ROUTE]
const STALLED: Subject = ['ProviderStreamStalled', story.ROUTE]
const OPEN: Subject = ['RouteCircuitBreakerOpen', story.ROUTE]
const ERRORS: Subject = ['ModelErrorRatioCritical', story.OTHER_ROUTE]
const STEADY: Subject = ['ModelErrorRatioCritical', story.STEADY_ROUTE]
const WORKERS: Subject = ['WorkersAbsent', 'turnkeeper']

describe('the quicker copy of rules and routes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tk-quicker-'))
  beforeAll(() => writeQuickerCopy(folder))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test.each(QUICKENED)('%s differs from what is shipped in durations alone', (file) => {
    const [shipped, copy] = ['deploy', folder].map(
      (root) => parse(readFileSync(join(root, file), 'utf8')) as unknown,
    )
    expect(copy).not.toEqual(shipped)
    expect(withoutDurations(copy)).toEqual(withoutDurations(shipped))
  })
})

describe.skipIf(typeof programs === 'string')('from the fault to the pager', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tk-alerts-'))
  let receiver: Receiver
  let stack: Stack
  let inbox: ReturnType<typeof openInbox>
  let deadman: ReturnType<typeof watchDeadman>
  let traffic: ReturnType<typeof story.pour>[]

  beforeAll(async () => {
    if (typeof programs === 'string') return
    receiver = await createReceiver()
    inbox = openInbox(receiver)
    stack = await story.startQuickStack({ programs, receiver, folder })
    deadman = watchDeadman(receiver, 8_000)
    traffic = ['coder', 'steady'].map((model) => story.pour(stack, { model, everyMs: 150 }))
  }, 90_000)

  afterAll(async () => {
    await Promise.all((traffic ?? []).map((one) => one.stop()))
    await stack?.close()
    await receiver?.close()
    rmSync(folder, { recursive: true, force: true })
  }, 60_000)

  test('a route that answers with HTML is a warning in Slack', { timeout: 60_000 }, async () => {
    await story.misbehave(stack, { model: 'steady-1', fault: '500', share: 0.2 })
    await story.misbehave(stack, { model: 'glm-4.6', fault: 'html' })
    expectNote(await inbox.note(HTML), HTML, { channel: '#turnkeeper-warnings', color: 'warning' })
  })

  test('when it stalls, that is another one', { timeout: 60_000 }, async () => {
    await story.behave(stack)
    await story.misbehave(stack, { model: 'steady-1', fault: '500', share: 0.2 })
    await story.misbehave(stack, { model: 'glm-4.6', fault: 'stall:40', times: 3 })
    expectNote(await inbox.note(STALLED), STALLED, { channel: '#turnkeeper-warnings', color: 'warning' })
  })

  test('a fifth of errors on another model calls people, and moves an alias that would not have moved by itself', {
    timeout: 60_000,
  }, async () => {
    expectNote(await inbox.note(STEADY), STEADY, { channel: '#turnkeeper-pages', color: 'danger' })
    expectPage(await inbox.page(STEADY), STEADY)
    await expect
      .poll(() => story.mitigationOf(stack, 'steady'), { timeout: 15_000 })
      .toMatchObject({
        state: 'moved',
        reason: expect.stringMatching(/^moved to reviewer \(requested: ModelErrorRatioCritical\)/),
      })
    expect(await story.routesOfTurn(stack, 'steady')).toEqual([story.FALLBACK_ROUTE])
    const { text } = await inbox.note(['RouteMitigationActive', 'steady'])
    expect(text).toContain('`turnkeeper config explain steady`')
  })

  test('a route that behaves again is said to', { timeout: 90_000 }, async () => {
    // Before the breaker stays open: that would silence what follows from it.
    for (const subject of [HTML, STALLED]) expectEnd(await inbox.resolved(subject))
  })

  test('when everything answers 5xx, people are called by Slack and by PagerDuty', {
    timeout: 120_000,
  }, async () => {
    await story.misbehave(stack, { model: '*', fault: '500' })
    for (const subject of [ERRORS, OPEN]) {
      expectNote(await inbox.note(subject), subject, { channel: '#turnkeeper-pages', color: 'danger' })
      expectPage(await inbox.page(subject), subject)
    }
  })

  test('when it is over, everybody who was told is told so', { timeout: 120_000 }, async () => {
    await story.behave(stack)
    for (const subject of [STEADY, ERRORS, OPEN]) {
      expectEnd(await inbox.resolved(subject))
      await inbox.pageResolved(await inbox.page(subject))
    }
  })

  test('a kill of all workers is noticed, and their return', { timeout: 120_000 }, async () => {
    // None had been seen yet when Prometheus started; that is another story.
    const later = openInbox(receiver, Date.now())
    await stack.killWorkers()
    expectNote(await later.note(WORKERS), WORKERS, { channel: '#turnkeeper-pages', color: 'danger' })
    const page = await later.page(WORKERS)
    await stack.replaceWorker(0)
    await later.resolved(WORKERS)
    await later.pageResolved(page)
  })

  test('the Watchdog was heard all the time; when its path is cut, that is noticed', {
    timeout: 60_000,
  }, async () => {
    expect(deadman.heard()).toBeGreaterThan(10)
    expect(deadman.calls()).toBe(false)
    await stack.killPrometheus()
    await expect.poll(deadman.calls, { timeout: 45_000, interval: 200 }).toBe(true)
  })

  test('no message was one that Slack or PagerDuty would refuse', () => {
    expect(receiver.refused).toEqual([])
  })
})

/** All that a person needs: what, since when, a command to paste, and links that lead somewhere. */
function expectNote(
  note: Note,
  [, about]: Subject,
  { channel, color }: { readonly channel: string; readonly color: string },
): void {
  expect(note).toMatchObject({ channel, color })
  expect(note.text).toMatch(/ Since \d\d:\d\d:\d\d UTC\.$/m)
  expect(note.text).toMatch(/^`turnkeeper [^`]+`$/m)
  if (about.includes('/')) expect(note.text).toContain(about)
  const { Runbook = '', Dashboard } = linksOf(note.text)
  expect(leadsToRunbook(Runbook), Runbook).toBe(true)
  expect(Dashboard).toBe(note.title_link)
}

function expectEnd({ color, text }: Note): void {
  expect(color).toBe('good')
  expect(text).toMatch(/over at \d\d:\d\d:\d\d UTC/)
}

function expectPage({ payload, links = [] }: Page, [alert, about]: Subject): void {
  expect(payload).toMatchObject({ severity: 'critical', component: about, group: alert })
  expect(payload.custom_details?.command).toMatch(/^turnkeeper /)
  const runbook = links.find(({ text }) => text === 'Runbook')?.href ?? ''
  expect(leadsToRunbook(runbook), runbook).toBe(true)
}

/** The same tree with `…` for each duration, in a query too; and for the one age in seconds (its alert says minutes). */
function withoutDurations(tree: unknown): unknown {
  return JSON.parse(JSON.stringify(tree), (key, value: unknown) => {
    if (typeof value !== 'string') return value
    if (key !== 'expr') return /^\d+[smhd]$/.test(value) ? '…' : value
    return value
      .replaceAll(/\[[\dsmhd:]+\]/g, '[…]')
      .replace(
        /^(time\(\) - max by \(route\) \(route_unhealthy_since_timestamp_seconds > 0\) >) \d+$/,
        '$1 …',
      )
  })
}
