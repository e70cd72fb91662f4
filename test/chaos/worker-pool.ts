import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export type PoolOptions = {
  readonly command: readonly string[]
  readonly size: number
  readonly env: NodeJS.ProcessEnv
  /** What the workers print goes here. */
  readonly logFile: string
}

/** Who was killed when: what recovery is measured from. */
export type Death = { readonly pid: number; readonly at: number }

/** Worker processes that are replaced when they end, as a supervisor would. */
export type WorkerPool = {
  readonly deaths: readonly Death[]
  kill9(roll: number): boolean
  sigterm(roll: number): boolean
  /** Stops one for `ms`, then lets it go on. */
  sigstop(roll: number, ms: number): boolean
  /** At once, for a run that was broken off. */
  killAll(): void
  close(): Promise<void>
}

type Member = { readonly child: ChildProcess; readonly gone: Promise<void>; busyWith?: 'stop' | 'end' }

export function startWorkerPool({ command, size, env, logFile }: PoolOptions): WorkerPool {
  const members = new Set<Member>()
  const deaths: Death[] = []
  const log = createWriteStream(logFile, { flags: 'a' }).setMaxListeners(0)
  let closing = false

  const start = (): void => {
    const child = spawn(process.execPath, command, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stdout.pipe(log, { end: false })
    child.stderr.pipe(log, { end: false })
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    const member: Member = { child, gone }
    members.add(member)
    void gone.then(() => {
      members.delete(member)
      if (!closing && member.busyWith !== 'end') start()
    })
  }
  const free = (roll: number): Member | undefined => {
    const candidates = [...members].filter(
      (member) => member.busyWith === undefined && member.child.exitCode === null,
    )
    return candidates[Math.floor(roll * candidates.length)]
  }
  const killAll = (): void => {
    for (const { child } of members) child.kill('SIGKILL')
  }
  for (let i = 0; i < size; i++) start()

  return {
    deaths,
    kill9(roll) {
      const member = free(roll)
      if (!member) return false
      deaths.push({ pid: member.child.pid as number, at: Date.now() })
      member.child.kill('SIGKILL')
      return true
    },
    sigterm(roll) {
      const member = free(roll)
      if (!member) return false
      member.busyWith = 'end'
      member.child.kill('SIGTERM')
      start()
      return true
    },
    sigstop(roll, ms) {
      const member = free(roll)
      if (!member) return false
      member.busyWith = 'stop'
      member.child.kill('SIGSTOP')
      void sleep(ms).then(() => {
        member.child.kill('SIGCONT')
        delete member.busyWith
      })
      return true
    },
    killAll,
    async close() {
      closing = true
      killAll()
      await Promise.all([...members].map((member) => member.gone))
      log.end()
    },
  }
}
