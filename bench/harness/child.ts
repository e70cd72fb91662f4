/** The process of one variant: runs `measure` of the module that it is given and prints what was measured. */

import type { Measure } from './group.ts'

const [module = '', options = '{}'] = process.argv.slice(2)
const { measure } = (await import(new URL(`../${module}`, import.meta.url).href)) as {
  measure: Measure // every module of subjects/ exports it
}
const sample = await measure(JSON.parse(options) as Record<string, unknown>) // written by run.ts
process.stdout.write(`\n${JSON.stringify(sample)}\n`, () => process.exit())
