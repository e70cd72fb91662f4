import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { FOLDER } from './config.ts'

/** A process of the demo; what it prints is kept in `<name>.log`. */
export type Process = {
  readonly name: string
  readonly pid: number
  /** The first match of `pattern` in what it prints; rejects if it ends first. */
  line(pattern: RegExp): Promise<RegExpExecArray>
  stop(): Promise<void>
}

const CLI = fileURLToPath(new URL('../../bin/turnkeeper.cjs', import.meta.url))
/** A start takes a second or two, and on a machine with much else to do as many tens. */
const PATIENCE_MS = 60_000

/** Starts `turnkeeper <args>` as a user would in another terminal. */
export function startProcess(name: string, args: readonly string[]): Process {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const log = createWriteStream(`${FOLDER}/${name}.log`)
  const lines: string[] = []
  const waiting = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      log.write(`${line}\n`)
      for (const look of waiting) look()
    })
  }
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    name,
    pid: child.pid ?? 0,
    line: (pattern) => findLine({ name, child, lines, waiting, ended }, pattern),
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      await ended
      log.end()
    },
  }
}

type Watched = {
  name: string
  child: ChildProcess
  lines: readonly string[]
  waiting: Set<() => void>
  ended: Promise<void>
}

async function findLine({ name, lines, waiting, ended }: Watched, pattern: RegExp): Promise<RegExpExecArray> {
  const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>()
  const look = (): void => {
    for (const line of lines) {
      const match = pattern.exec(line)
      if (match) resolve(match)
    }
  }
  const fail = (why: string): void => reject(new Error(`${name} ${why}: ${lines.slice(-3).join(' | ')}`))
  const timer = setTimeout(() => fail(`said nothing like ${pattern} in ${PATIENCE_MS / 1000} s`), PATIENCE_MS)
  waiting.add(look)
  look()
  void ended.then(() => fail('ended'))
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    waiting.delete(look)
  }
}
