/**
 * `npm run bench [-- <group>…] [--json] [--repeats N] [--only PART]…`: measures, prints a table a group, and keeps
 * the figures in `bench/results/`. Its own dependencies are installed when they are missing or old.
 */

import { parseArgs } from 'node:util'
import { chartOf } from './harness/chart.ts'
import { GROUP_NAMES, type GroupName } from './harness/group.ts'
import { installPeers } from './harness/install.ts'
import { saveResults } from './harness/results.ts'
import { runGroup } from './harness/run.ts'
import type { Row } from './harness/statistics.ts'
import { rowsToTable } from './harness/table.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    repeats: { type: 'string', default: '5' },
    only: { type: 'string', multiple: true },
  },
})

const isGroup = (name: string): name is GroupName => (GROUP_NAMES as readonly string[]).includes(name)
const unknown = positionals.find((name) => !isGroup(name))
const repeats = Number(values.repeats)
if (unknown !== undefined || !Number.isInteger(repeats) || repeats < 1) {
  console.error(`usage: npm run bench [-- ${GROUP_NAMES.join('|')} …] [--json] [--repeats N] [--only PART]`)
  process.exit(2)
}
const wanted = positionals.length === 0 ? GROUP_NAMES : positionals.filter(isGroup)
const note = (line: string): void => console.error(line)

installPeers(note)
const groups: Partial<Record<GroupName, { rows: readonly Row[] }>> = {}
for (const name of wanted) {
  // a name of the list above: each has a module that exports it
  const { [name]: group } = (await import(`./groups/${name}.ts`)) as Record<
    GroupName,
    import('./harness/group.ts').Group
  >
  const rows = await runGroup(group, { repeats, note, ...(values.only && { only: values.only }) })
  groups[name] = { rows }
  const table = rowsToTable(group, rows)
  if (values.json) console.error(table)
  else console.log(table)
  // A part of a group must not overwrite the whole.
  if (values.only === undefined) saveResults(group, { rows, repeats, chart: chartOf(group, rows) })
}
if (values.json) console.log(JSON.stringify({ groups }))
