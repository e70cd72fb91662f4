/**
 * One process of a local program, with nothing of ours but what it is given.
 *
 * running ──exit──▶ ended
 *    └─stop─▶ asked (SIGTERM) ──grace──▶ killed (SIGKILL) ──exit──▶ ended
 *
 * P1. It leads a process group of its own, which ends with it: llama-cli starts a server below itself.
 * P2. No shell, no standard input, and of our environment only what a program needs to run.
 */

import { type ChildProcess, spawn } from 'node:child_process'

export type ProcessOptions = {
  readonly binary: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env?: Readonly<Record<string, string | undefined>>
  onStdout(chunk: Uint8Array): void
  onStderr(chunk: Uint8Array): void
}

/** How it ended. `missing`: it never began; `reason` is the system's word for why (`ENOENT`). */
export type ProcessEnd =
  | { readonly type: 'missing'; readonly reason: string }
  | { readonly type: 'exited'; readonly code: number | null; readonly signal: NodeJS.Signals | null }

export type RunningProcess = {
  /** Never rejects. */
  readonly ended: Promise<ProcessEnd>
  /** The end of what was printed to standard error, at most 64 KB. */
  stderr(): Buffer
  /** Ends it. Waits for nothing: see `ended`. */
  stop(): void
}

const STDERR_BYTES = 65_536
/** From SIGTERM to SIGKILL. */
const GRACE_MS = 2000

/** What programs and their graphics libraries look at; everything else may be a secret, or change what they do. */
const INHERITED =
  /^(PATH|HOME|USER|LANG|LC_\w+|TZ|TMPDIR|LD_LIBRARY_PATH|DYLD_\w+|CUDA_\w+|NVIDIA_\w+|HIP_\w+|ROCR?_\w+|HSA_\w+|GGML_\w+|OMP_\w+|VK_\w+|SystemRoot)$/

/** Starts `binary`. Does not throw: a program that cannot be started is an end. */
export function startProcess(options: ProcessOptions): RunningProcess {
  const { binary, args, cwd, env = process.env, onStdout, onStderr } = options
  let tail: Buffer<ArrayBufferLike> = Buffer.alloc(0)
  let child: ChildProcess
  try {
    child = spawn(binary, args, {
      cwd,
      env: cleaned(env),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      windowsHide: true,
    })
  } catch (error) {
    const ended = Promise.resolve<ProcessEnd>({ type: 'missing', reason: codeOf(error) })
    return { ended, stderr: () => tail, stop: () => undefined }
  }
  child.stdout?.on('data', onStdout)
  child.stderr?.on('data', (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-STDERR_BYTES)
    onStderr(chunk)
  })
  let grace: NodeJS.Timeout | undefined
  const ended = new Promise<ProcessEnd>((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve({ type: 'missing', reason: codeOf(error) })
    })
    child.once('exit', () => signalGroup(child, 'SIGKILL'))
    child.once('close', (code, signal) => {
      clearTimeout(grace)
      resolve({ type: 'exited', code, signal })
    })
  })
  return {
    ended,
    stderr: () => tail,
    stop() {
      if (grace !== undefined || child.exitCode !== null || child.signalCode !== null) return
      signalGroup(child, 'SIGTERM')
      grace = setTimeout(() => signalGroup(child, 'SIGKILL'), GRACE_MS)
    },
  }
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // Nothing of the group is left.
  }
}

function cleaned(env: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => INHERITED.test(name)))
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}
