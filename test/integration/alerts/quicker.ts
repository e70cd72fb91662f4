/**
 * A copy of the rules and routes in which time runs faster: every duration is a sixtieth of what it is in `deploy/`,
 * and nothing else differs.
 */

import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'

const SPEED = 60
/** Prometheus scrapes and evaluates once a second; a rate needs a few of these. */
const LEAST_SECONDS = 1
const LEAST_RANGE_SECONDS = 5

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }
/** Keys of both programs whose value is a duration. */
const DURATION_KEY = /^(?:for|keep_firing_for|interval|\w+_(?:interval|wait|timeout))$/

/** The files whose durations are shortened; the rest is copied as it is. */
export const QUICKENED = [
  'prometheus/prometheus.yml',
  ...readdirSync('deploy/prometheus/rules').map((name) => `prometheus/rules/${name}`),
  'alertmanager/alertmanager.yml',
]

/** Writes the copy of `deploy/prometheus` and `deploy/alertmanager` into `folder`. */
export function writeQuickerCopy(folder: string): void {
  for (const name of ['prometheus', 'alertmanager'])
    cpSync(join('deploy', name), join(folder, name), { recursive: true })
  for (const file of QUICKENED) {
    const tree: unknown = parse(readFileSync(join('deploy', file), 'utf8'))
    writeFileSync(join(folder, file), stringify(quicker(tree)))
  }
}

function quicker(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => quicker(item))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, quicker(item, name)]))
  }
  if (typeof value !== 'string') return value
  if (key === 'expr') return quickerQuery(value)
  return DURATION_KEY.test(key) ? shorter(value, LEAST_SECONDS) : value
}

/** Ranges, and the one age that is compared with a number of seconds: this Prometheus takes no duration there. */
function quickerQuery(expr: string): string {
  return expr
    .replaceAll(/\[(\w+)(?::(\w+))?\]/g, (_all, range: string, step?: string) => {
      const steps = step === undefined ? '' : `:${shorter(step, LEAST_SECONDS)}`
      return `[${shorter(range, LEAST_RANGE_SECONDS)}${steps}]`
    })
    .replace(/^(time\(\) - .* > )(\d+)$/, (_all, age: string, seconds: string) => {
      return `${age}${Number(seconds) / SPEED}`
    })
}

function shorter(duration: string, leastSeconds: number): string {
  const [, count = '', unit = ''] = /^(\d+)([smhd])$/.exec(duration) ?? []
  return `${Math.max(leastSeconds, Math.round((Number(count) * (UNITS[unit] ?? Number.NaN)) / SPEED))}s`
}
