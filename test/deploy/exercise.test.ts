import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Checked, checkDashboards } from '../../scripts/exercise/check.ts'
import { MAY_BE_EMPTY } from '../../scripts/exercise/empty-panels.ts'
import { readDashboards, type TimeRange } from '../../scripts/exercise/panels.ts'
import { type Course, EXERCISE_OPTIONS, exercise } from '../../scripts/exercise/scenario.ts'
import { contactSheet } from '../../scripts/exercise/sheet/page.ts'
import { findBrowser, writePicture } from '../../scripts/exercise/sheet/picture.ts'
import { findPrograms } from '../../scripts/stack/programs.ts'
import { createReceiver, type Receiver } from '../../scripts/stack/receiver.ts'
import { type Stack, startStack } from '../../scripts/stack/stack.ts'
import { COUNTERS, GAUGES, HISTOGRAMS } from '../../src/telemetry/catalogue.ts'
import { withoutSuffix } from './promql-names.ts'
import { recordingRules } from './rule-files.ts'

const programs = findPrograms()
const browser = findBrowser()
/** Long enough for a few scrapes of each stage; `npm run exercise` takes three minutes. */
const SECONDS = 32
const SETTLE_MS = 75_000

test('at most five panels may be empty, each of which exists and has its reason', () => {
  const titles = readDashboards().flatMap(({ panels }) => panels.map(({ title }) => title))
  expect(Object.keys(MAY_BE_EMPTY).length).toBeLessThanOrEqual(5)
  for (const [title, reason] of Object.entries(MAY_BE_EMPTY)) {
    expect(titles).toContain(title)
    expect(reason).toMatch(/^.{10,}$/)
  }
})

describe.skipIf(typeof programs === 'string')('on a stack with traffic and faults', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tk-exercise-'))
  let receiver: Receiver
  let stack: Stack
  let course: Course
  let range: TimeRange
  let checked: Checked
  let unrecorded: readonly string[]

  beforeAll(async () => {
    if (typeof programs === 'string') return
    receiver = await createReceiver()
    stack = await startStack({ programs, receiver, folder: join(folder, 'stack'), ...EXERCISE_OPTIONS })
    const fromSeconds = Date.now() / 1000
    course = await exercise(stack, { seconds: SECONDS, say: () => {} })
    // Rules are evaluated every 15 or 30 s, and some need two scrapes before that.
    const deadline = performance.now() + SETTLE_MS
    do {
      await sleep(4_000)
      range = { fromSeconds, toSeconds: Date.now() / 1000 }
      checked = await checkDashboards(stack.prometheusUrl, range)
      unrecorded = await namesWithoutData(stack.prometheusUrl)
    } while (checked.unexpected.length + unrecorded.length > 0 && performance.now() < deadline)
  }, 240_000)

  afterAll(async () => {
    await stack?.close()
    await receiver?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  test('every turn was accepted, through all faults and the loss of a worker', () => {
    expect(course.refused).toBe(0)
    expect(course.accepted).toBeGreaterThan(SECONDS)
  })

  test('Prometheus answers every query of every panel', () => {
    expect(checked.errors).toEqual([])
    expect(checked.sheets.length).toBe(6)
  })

  test('no panel is empty but those that may be', () => {
    expect(checked.unexpected).toEqual([])
  })

  test('its processes export every metric of the catalogue, with its labels, and no other', async () => {
    const url = new URL('/api/v1/series', stack.prometheusUrl)
    url.searchParams.set('match[]', '{job=~"worker|gateway|canary"}')
    const { data } = (await (await fetch(url)).json()) as { data: Record<string, string>[] }
    const exported: Record<string, Set<string>> = {}
    for (const { __name__: name = '', job: _job, instance: _instance, le: _le, ...labels } of data) {
      if (/^(?:up|ALERTS(?:_FOR_STATE)?|target_info|scrape_\w+)$/.test(name)) continue // of Prometheus itself
      const metric = withoutSuffix(name) in HISTOGRAMS ? withoutSuffix(name) : name
      exported[metric] = new Set([...(exported[metric] ?? []), ...Object.keys(labels)])
    }
    const catalogue = Object.entries({ ...COUNTERS, ...GAUGES, ...HISTOGRAMS })
    expect(exported).toEqual(
      Object.fromEntries(catalogue.map(([name, { labels }]) => [name, new Set(labels)])),
    )
  })

  test('the rules have recorded every name that alerts and dashboards read', () => {
    expect(unrecorded).toEqual([])
  })

  test('the dead-man switch reached its receiver, by the routes and templates of the repository', () => {
    const alerts = receiver.received.flatMap(({ to, body }) => (to === 'webhook' ? body.alerts : []))
    expect(alerts.map(({ labels }) => labels)).toContainEqual(
      expect.objectContaining({ alertname: 'Watchdog' }),
    )
  })

  test.skipIf(browser === undefined)(
    'each dashboard is drawn with its data',
    () => {
      for (const { dashboard, data } of checked.sheets) {
        const page = contactSheet(dashboard, { data, range })
        for (const { panel } of data) expect(page.html).toContain(panel.title)
        const file = join(folder, `${dashboard.uid}.png`)
        writePicture(page, { browser: browser as string, file })
        // An empty page of this size has a tenth of that.
        expect(statSync(file).size, dashboard.uid).toBeGreaterThan(40_000)
      }
    },
    120_000,
  )
})

/** What rules record, and have not recorded yet. */
async function namesWithoutData(prometheusUrl: string): Promise<readonly string[]> {
  const response = await fetch(`${prometheusUrl}/api/v1/label/__name__/values`)
  const { data } = (await response.json()) as { data: string[] }
  return recordingRules.map(({ record }) => record).filter((name) => !data.includes(name))
}
