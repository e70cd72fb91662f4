import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export type CliResult = {
  readonly status: number | null
  readonly out: string
  readonly err: string
  /** The last line of standard output, parsed. */
  json(): Record<string, unknown>
}

export type RunningCli = {
  readonly pid: number
  out(): string
  err(): string
  signal(name: NodeJS.Signals): void
  /** Stops reading standard output, as `head` does. */
  closeOut(): void
  readonly ended: Promise<CliResult>
}

export type CliOptions = {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Standard input. */
  readonly input?: string
  readonly nodeOptions?: readonly string[]
}

const LAUNCHER = resolve('bin/turnkeeper.cjs')

/** What a failed test has left running goes with the process of its file. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts the real command line in a process of its own. */
export function startCli(
  args: readonly string[],
  { cwd = tmpdir(), env = {}, input, nodeOptions = [] }: CliOptions = {},
): RunningCli {
  const { REDIS_URL: _redis, NODE_ENV: _env, FORCE_COLOR: _color, ...inherited } = process.env
  const child = spawn(process.execPath, [...nodeOptions, LAUNCHER, ...args], {
    cwd,
    env: { ...inherited, ...env },
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  child.stderr.on('data', (chunk) => {
    err += chunk
  })
  child.stdin.end(input)
  const ended = new Promise<CliResult>((settle) => {
    child.once('close', (status) => {
      const json = (): Record<string, unknown> => JSON.parse(out.trimEnd().split('\n').at(-1) ?? '')
      settle({ status, out, err, json })
    })
  })
  return {
    pid: child.pid ?? 0,
    out: () => out,
    err: () => err,
    signal: (name) => void child.kill(name),
    closeOut: () => void child.stdout.destroy(),
    ended,
  }
}

/** Runs the command line to its end. */
export function runCli(args: readonly string[], options?: CliOptions): Promise<CliResult> {
  return startCli(args, options).ended
}

/** A folder with these files, removed at disposal. */
export function folderWith(files: Readonly<Record<string, string>>): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'tk-cli-'))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content)
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}
