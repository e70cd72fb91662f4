import type { Journal } from '../../queue/journal.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'

/** The writes that stand between a turn and its model: what the runtime itself costs a turn. */
type Stage = 'claim' | 'begin' | 'commit' | 'finish'

/** The journal with the time of each such write recorded, repeats included. */
export function timedJournal(journal: Journal, telemetry: Pick<Telemetry, 'record'>): Journal {
  const timed = async <Result>(stage: Stage, write: () => Promise<Result>): Promise<Result> => {
    const startedAt = performance.now()
    try {
      return await write()
    } finally {
      telemetry.record('runtime_overhead_seconds', { stage }, (performance.now() - startedAt) / 1000)
    }
  }
  return {
    ...journal,
    claim: (...args) => timed('claim', () => journal.claim(...args)),
    begin: (...args) => timed('begin', () => journal.begin(...args)),
    commit: (...args) => timed('commit', () => journal.commit(...args)),
    finish: (...args) => timed('finish', () => journal.finish(...args)),
  }
}
