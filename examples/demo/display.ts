import { styleText } from 'node:util'

/** A route as the display shows it. */
export type RouteView = { readonly name: string; readonly state: string }

/** What one turn is doing. */
export type TurnView = {
  readonly sessionId: string
  readonly number: number
  state: 'waiting' | 'running' | 'done' | 'failed'
  doing: string
  worker: string
}

export type Display = {
  /** A line that stays. */
  say(line: string): void
  update(turns: readonly TurnView[], routes: readonly RouteView[]): void
  close(): void
}

const MARKS = { waiting: '·', running: '▸', done: '✓', failed: '✗' } as const
const STATE_COLOURS = { closed: 'green', degraded: 'yellow', half_open: 'yellow', open: 'red' } as const
const REDRAW_MS = 100
const LONGEST = 120

/** Redraws a block on a terminal; elsewhere prints only the lines that stay. */
export function createDisplay(stream: NodeJS.WriteStream, isQuiet: boolean): Display {
  return stream.isTTY && !isQuiet ? liveDisplay(stream) : plainDisplay(stream)
}

function plainDisplay(stream: NodeJS.WriteStream): Display {
  const states = new Map<string, string>()
  return {
    say: (line) => void stream.write(`${line}\n`),
    update(turns, routes) {
      for (const { sessionId, number, state, doing } of turns) {
        const key = `${sessionId} turn ${number}`
        if (states.get(key) === state || state === 'waiting') continue
        states.set(key, state)
        stream.write(
          `${MARKS[state]} ${key} ${state === 'running' ? 'started' : `${state}: ${clipped(doing)}`}\n`,
        )
      }
      for (const { name, state } of routes) {
        const before = states.get(name) ?? 'closed'
        if (before !== state) stream.write(`  breaker of ${name}: ${before} → ${state}\n`)
        states.set(name, state)
      }
    },
    close() {},
  }
}

/** One line of a log: lists of files are longer than anybody reads. */
function clipped(text: string): string {
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1)}…`
}

function liveDisplay(stream: NodeJS.WriteStream): Display {
  let drawn = 0
  let isClosed = false
  let latest: () => string[] = () => []
  const clear = (): void => {
    if (drawn > 0) stream.write(`\x1b[${drawn}A\x1b[0J`)
    drawn = 0
  }
  const draw = (): void => {
    clear()
    const lines = latest()
    drawn = lines.length
    if (drawn > 0) stream.write(`${lines.join('\n')}\n`)
  }
  stream.write('\x1b[?25l')
  const timer = setInterval(draw, REDRAW_MS)
  return {
    say(line) {
      clear()
      stream.write(`${line}\n`)
      draw()
    },
    update(turns, routes) {
      latest = () => block(turns, routes, stream.columns || 100)
    },
    close() {
      if (isClosed) return
      isClosed = true
      clearInterval(timer)
      draw()
      stream.write('\x1b[?25h')
    },
  }
}

function block(turns: readonly TurnView[], routes: readonly RouteView[], width: number): string[] {
  const sessions = [...new Set(turns.map((turn) => turn.sessionId))]
  const lines = sessions.map((sessionId) => {
    const own = turns.filter((turn) => turn.sessionId === sessionId)
    const marks = own.map((turn) => mark(turn.state)).join(' ')
    const current =
      own.find((turn) => turn.state === 'running') ?? own.findLast((turn) => turn.state !== 'waiting')
    const doing = current ? `turn ${current.number}${current.worker} ${current.doing}` : 'waits'
    return `  ${sessionId}  ${marks}  ${doing.slice(0, Math.max(10, width - 26))}`
  })
  const health = routes.map(({ name, state }) => `${name} ${styleText(colourOf(state), state)}`).join('   ')
  return ['', ...lines, '', `  ${health}`]
}

function mark(state: TurnView['state']): string {
  const colour = { waiting: 'dim', running: 'cyan', done: 'green', failed: 'red' } as const
  return styleText(colour[state], MARKS[state])
}

function colourOf(state: string): 'green' | 'yellow' | 'red' | 'dim' {
  return state in STATE_COLOURS ? STATE_COLOURS[state as keyof typeof STATE_COLOURS] : 'dim'
}
