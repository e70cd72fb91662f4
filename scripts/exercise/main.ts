/**
 * `npm run exercise [-- --seconds 180] [--out DIR] [--monitoring DIR]`: starts the stack, makes traffic and faults,
 * runs every query of every dashboard, and draws each dashboard as a picture. Status 1 when a query fails or a panel
 * is empty without a reason.
 */

import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { findPrograms } from '../stack/programs.ts'
import { createReceiver } from '../stack/receiver.ts'
import { absentFiles, startStack } from '../stack/stack.ts'
import { type Checked, checkDashboards } from './check.ts'
import { EXERCISE_OPTIONS, exercise } from './scenario.ts'
import { contactSheet } from './sheet/page.ts'
import { findBrowser, writePicture } from './sheet/picture.ts'

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '180' },
    out: { type: 'string', default: '.turnkeeper/sheets' },
    monitoring: { type: 'string', default: 'deploy' },
  },
})
/** One more evaluation of the rules after the last turn. */
const SETTLE_MS = 16_000

async function main(): Promise<number> {
  const programs = findPrograms()
  const absent = absentFiles(flags.monitoring)
  const problem =
    typeof programs === 'string' ? programs : absent.length > 0 ? `absent: ${absent.join(', ')}` : ''
  if (typeof programs === 'string' || problem !== '') {
    console.error(problem)
    return 2
  }
  await using closing = new AsyncDisposableStack()
  const receiver = closing.adopt(await createReceiver(), (it) => it.close())
  const stack = await startStack({
    programs,
    receiver,
    folder: '.turnkeeper/exercise',
    monitoring: flags.monitoring,
    ...EXERCISE_OPTIONS,
  })
  closing.defer(() => stack.close())
  console.log(`Prometheus ${stack.prometheusUrl}, logs in ${stack.folder}/logs`)
  const fromSeconds = Date.now() / 1000
  const course = await exercise(stack, { seconds: Number(flags.seconds), say: (line) => console.log(line) })
  await new Promise((done) => setTimeout(done, SETTLE_MS))
  const range = { fromSeconds, toSeconds: Date.now() / 1000 }
  const checked = await checkDashboards(stack.prometheusUrl, range)
  console.log(
    `${course.accepted} turns accepted, ${course.refused} refused, ${receiver.received.length} notifications`,
  )
  drawSheets(checked, range)
  return report(checked)
}

function drawSheets({ sheets }: Checked, range: { fromSeconds: number; toSeconds: number }): void {
  const browser = findBrowser()
  if (browser === undefined) {
    console.log('no pictures: apt install chromium')
    return
  }
  mkdirSync(flags.out, { recursive: true })
  for (const { dashboard, data } of sheets) {
    const file = resolve(join(flags.out, `${dashboard.uid}.png`))
    writePicture(contactSheet(dashboard, { data, range }), { browser, file })
    console.log(file)
  }
}

function report({ errors, empty, unexpected }: Checked): number {
  for (const error of errors) console.log(`failed: ${error}`)
  for (const title of empty)
    console.log(`empty: ${title}${unexpected.includes(title) ? '' : ' (as expected)'}`)
  const isGood = errors.length === 0 && unexpected.length === 0
  console.log(isGood ? 'Every panel shows what it should.' : 'Some panels do not show what they should.')
  return isGood ? 0 : 1
}

process.exitCode = await main()
