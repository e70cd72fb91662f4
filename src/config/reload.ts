import type { Config } from './config.ts'

/** The sections that a running process takes from a changed configuration; all others need a restart. */
const RELOADED = ['providers', 'models', 'breakers', 'routing'] as const satisfies readonly (keyof Config)[]

export type Reloaded = {
  /** What runs, with the sections of `next` that may change. */
  readonly config: Config
  /** Sections that have changed, too, and have no effect before a restart. */
  readonly waiting: readonly string[]
}

/** What becomes of a running configuration when the file has become `next`. */
export function reloadedConfig(running: Config, next: Config): Reloaded {
  const { providers, models, breakers, routing } = next
  const sections = new Set([...Object.keys(running), ...Object.keys(next)]) as ReadonlySet<keyof Config>
  const waiting = [...sections].filter(
    (name) =>
      !(RELOADED as readonly string[]).includes(name) &&
      JSON.stringify(running[name]) !== JSON.stringify(next[name]),
  )
  return { config: { ...running, providers, models, breakers, routing }, waiting }
}
