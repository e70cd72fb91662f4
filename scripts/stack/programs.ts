import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export type Programs = { readonly redis: string; readonly prometheus: string; readonly alertmanager: string }

type Wanted = { readonly names: readonly string[]; readonly debian: string }

/** What the stack starts, under the names that distributions give it. */
const WANTED: Readonly<Record<keyof Programs, Wanted>> = {
  redis: { names: ['redis-server', 'valkey-server'], debian: 'redis-server' },
  prometheus: { names: ['prometheus'], debian: 'prometheus' },
  // Debian puts a prefix before it, Prometheus's own archive does not.
  alertmanager: { names: ['prometheus-alertmanager', 'alertmanager'], debian: 'prometheus-alertmanager' },
}

/** Where the programs are, or a sentence that says which are missing, with the line that installs them. */
export function findPrograms(path: string = process.env.PATH ?? ''): Programs | string {
  const folders = path.split(delimiter).filter((folder) => folder !== '')
  const find = ({ names }: Wanted): string | undefined =>
    names.flatMap((name) => folders.map((folder) => join(folder, name))).find((file) => existsSync(file))
  const redis = find(WANTED.redis)
  const prometheus = find(WANTED.prometheus)
  const alertmanager = find(WANTED.alertmanager)
  if (redis && prometheus && alertmanager) return { redis, prometheus, alertmanager }
  const missing = Object.values(WANTED).filter((wanted) => find(wanted) === undefined)
  const names = missing.map((wanted) => wanted.names[0]).join(', ')
  return `missing: ${names}. Install with: apt install ${missing.map(({ debian }) => debian).join(' ')}`
}
