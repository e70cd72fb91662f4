import type { TurnHandle, TurnResult } from 'turnkeeper'
import type { TurnView } from './display.ts'

/** Reads a turn's events into its view; resolves with its result. */
export async function follow(turn: TurnHandle, view: TurnView): Promise<TurnResult> {
  for await (const event of turn) {
    switch (event.type) {
      case 'turn.started':
        view.state = 'running'
        view.worker = ` on ${event.worker.split('-').at(-2)}`
        view.doing = 'starts'
        break
      case 'tool.call':
        view.doing = `${event.name} ${JSON.stringify(event.input)}`
        break
      case 'text.delta':
        view.doing = view.doing.startsWith('“') ? view.doing + event.delta : `“${event.delta}`
        break
      case 'step.restarted':
        view.doing = `restarts: ${event.reason}`
        break
      case 'route.changed':
        view.doing = `moves to ${event.to}: ${event.reason}`
        break
      case 'turn.completed':
        view.state = 'done'
        view.doing = event.text.replaceAll('\n', ' ')
        break
      case 'turn.failed':
        view.state = 'failed'
        view.doing = event.error.message
        break
    }
  }
  return turn.result()
}
