import { setTimeout as sleep } from 'node:timers/promises'
import type { Plan, PlannedTurn } from './plan.ts'
import type { Story, Subject } from './story.ts'

export type Progress = { accepted: number; ended: number }

/** Gives every planned turn to the subject at its time, those of a session one after the other. */
export async function runLoad(
  { turns }: Plan,
  subject: Subject,
  { until, progress }: { until: number; progress: Progress },
): Promise<Story[]> {
  const started = performance.now()
  const sessions = Map.groupBy(turns, (turn) => turn.session)
  const stories = new Map<PlannedTurn, Promise<Story>>()
  await Promise.all(
    [...sessions.values()].map(async (ofSession) => {
      for (const turn of ofSession) {
        await sleep(Math.max(0, turn.atMs - (performance.now() - started)))
        const { accepted, story } = subject.run(turn, until)
        stories.set(turn, story)
        void story.then(() => progress.ended++)
        await accepted
        progress.accepted++
      }
    }),
  )
  return Promise.all(turns.map((turn) => stories.get(turn) as Promise<Story>))
}
