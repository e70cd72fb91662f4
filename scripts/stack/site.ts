import { mkdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { type ProcessOptions, type StackProcess, startProcess } from './processes.ts'

/** Where one run of the stack lives: its folder and its processes, which end with it in reverse order. */
export type Site = {
  readonly folder: string
  /** A path below the folder. */
  at(...parts: readonly string[]): string
  start(name: string, command: string, more: Partial<ProcessOptions>): StackProcess
  /** Ends a process as a machine that fails would. */
  kill(name: string): Promise<void>
  close(): Promise<void>
}

const FOLDERS = ['redis', 'targets', 'secrets', 'prometheus', 'alertmanager', 'logs']

/** Empties the folder and opens a site in it. */
export function openSite(where: string): Site {
  const folder = resolve(where)
  rmSync(folder, { recursive: true, force: true })
  for (const name of FOLDERS) mkdirSync(join(folder, name), { recursive: true })
  const started = new AsyncDisposableStack()
  const processes = new Map<string, StackProcess>()
  return {
    folder,
    at: (...parts) => join(folder, ...parts),
    start: (name, command, more) => {
      const logFile = join(folder, 'logs', `${name}.log`)
      const process = startProcess({ args: [], ...more, name, command, logFile })
      processes.set(name, process)
      started.defer(() => process.stop())
      return process
    },
    async kill(name) {
      await processes.get(name)?.stop('SIGKILL')
    },
    close: () => started.disposeAsync(),
  }
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  await new Promise<void>((done) => server.close(() => done()))
  if (typeof address === 'object' && address !== null) return address.port
  throw new Error('the system gives no port')
}
