import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

export type StackProcess = {
  readonly name: string
  readonly pid: number
  /** The first match in what it prints; rejects when it ends first or says nothing like it for 30 s. */
  line(pattern: RegExp): Promise<RegExpExecArray>
  /** Resolves when it has ended, killed with SIGKILL when it takes longer than 15 s. */
  stop(signal?: NodeJS.Signals): Promise<void>
}

export type ProcessOptions = {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Written to its standard input. */
  readonly input?: string
  /** Everything that it prints is kept here. */
  readonly logFile: string
}

const PATIENCE_MS = 30_000
const STOP_MS = 15_000

/** Starts a process of the stack; what it prints goes to its log. */
export function startProcess({ name, command, args, env, input, logFile }: ProcessOptions): StackProcess {
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  child.stdin.end(input)
  const log = createWriteStream(logFile, { flags: 'a' })
  const lines: string[] = []
  const listeners = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      // Only what is waited for at the start is looked for; the rest stands in the log.
      if (lines.length < 1_000) lines.push(line)
      log.write(`${line}\n`)
      for (const listener of listeners) listener()
    })
  }
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  }).then(() => void log.end())
  return {
    name,
    pid: child.pid ?? 0,
    line: (pattern) => findLine({ name, lines, listeners, ended, logFile }, pattern),
    stop: (signal = 'SIGTERM') => stopProcess(child, ended, signal),
  }
}

async function stopProcess(child: ChildProcess, ended: Promise<void>, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal)
  const patience = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await ended
  clearTimeout(patience)
}

type Watched = {
  readonly name: string
  readonly lines: readonly string[]
  readonly listeners: Set<() => void>
  readonly ended: Promise<void>
  readonly logFile: string
}

async function findLine(
  { name, lines, listeners, ended, logFile }: Watched,
  pattern: RegExp,
): Promise<RegExpExecArray> {
  const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>()
  const look = (): void => {
    for (const line of lines) {
      const match = pattern.exec(line)
      if (match) resolve(match)
    }
  }
  const fail = (why: string): void =>
    reject(new Error(`${name} ${why}; its log is ${logFile}: ${lines.slice(-3).join(' | ')}`))
  const timer = setTimeout(() => fail(`said nothing like ${pattern}`), PATIENCE_MS)
  listeners.add(look)
  look()
  void ended.then(() => fail('ended'))
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    listeners.delete(look)
  }
}

/** Resolves when `url` answers with a success; rejects after 30 s. */
export async function untilAnswers(url: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    const ok = await fetch(url).then(
      (response) => response.ok,
      () => false,
    )
    if (ok) return
    if (performance.now() > deadline) throw new Error(`${url} does not answer`)
    await sleep(100)
  }
}
