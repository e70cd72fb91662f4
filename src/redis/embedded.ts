/**
 * Finds a Redis for this folder, or starts one.
 *
 * E1. One server a folder: its address stands in `<dataDir>.json`, written under a lock; the first process owns it.
 * E2. A spawned server dies with its owner, even by kill -9: it runs below a shell that holds a pipe from us.
 * E3. What a file says is believed only after the server at that address has answered.
 */

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TurnkeeperError } from '../errors.ts'
import { checkRedis } from './checks.ts'
import { closeRedis, connectRedis } from './connection.ts'
import type { Durability, DurabilityOptions } from './durability.ts'

/** Where a Redis came from: an address that was given, a server that we spawned, or the npm package. */
export type RedisOrigin = 'url' | 'spawned' | 'fallback'

/** A Redis to use. `close` stops it if this process owns it, and does nothing otherwise. */
export type RedisServer = {
  readonly url: string
  readonly origin: RedisOrigin
  readonly owned: boolean
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export type OpenRedisOptions = {
  /** An address: nothing is started then. */
  readonly url?: string | undefined
  /** Folder of the embedded server's files; default `.turnkeeper/redis`. */
  readonly dataDir?: string
  readonly durability?: Durability
  /** Replicas that the durability `always` counts on; default 0. */
  readonly replicas?: number
  /** false for one-shot commands: they join a server but start none. Default true. */
  readonly mayStart?: boolean
  /** Told once of anything that a person should know. */
  readonly warn?: (message: string) => void
  readonly env?: NodeJS.ProcessEnv
}

type Announcement = { readonly url: string; readonly origin: RedisOrigin; readonly pid: number }

const LOCK_WAIT_MS = 15_000

/**
 * The Redis at `url`; else the one that already serves this folder; else a new one.
 * @throws TurnkeeperError `queue/redis_unavailable` or `config/redis_unsupported`, saying what to do.
 */
export async function openRedis(options: OpenRedisOptions = {}): Promise<RedisServer> {
  const { url, dataDir = '.turnkeeper/redis', durability = 'aof', replicas = 0, mayStart = true } = options
  if (url) {
    await probe(url, { durability, replicas })
    return borrowed({ url, origin: 'url', pid: 0 })
  }
  const announcement = `${dataDir}.json`
  const running = await joinRunning(announcement)
  if (running) {
    // The other modes are its owner's choice; this one is a promise to our callers.
    if (durability === 'always') await probe(running.url, { durability, replicas })
    return borrowed(running)
  }
  if (!mayStart) throw noServer('no worker or server of this folder runs one')

  mkdirSync(dirname(announcement), { recursive: true })
  const unlock = await lock(`${dataDir}.lock`)
  try {
    const other = await joinRunning(announcement)
    if (other) return borrowed(other)
    const server = await start({ ...options, dataDir, durability })
    announce(announcement, { url: server.url, origin: server.origin, pid: process.pid })
    return owned(server, announcement)
  } finally {
    unlock()
  }
}

type Started = { readonly url: string; readonly origin: RedisOrigin; stop(): Promise<void> }

async function start(
  options: OpenRedisOptions & { dataDir: string; durability: Durability },
): Promise<Started> {
  const { env = process.env, warn = () => {} } = options
  const binary = onPath(env, 'redis-server') ?? onPath(env, 'valkey-server')
  if (binary) return spawnServer(binary, options.dataDir, options.durability)
  if (options.durability === 'always') {
    throw noServer('redis.durability: always needs a real one; no redis-server or valkey-server is on PATH')
  }
  const fallback = await startFallback()
  if (!fallback) throw noServer('no redis-server or valkey-server is on PATH')
  warn(
    'No redis-server on PATH: using the in-process JavaScript Redis. It is slow, and everything in it is gone when' +
      ' this process ends. Install one with: apt install redis-server | brew install redis',
  )
  return fallback
}

async function spawnServer(binary: string, dataDir: string, durability: Durability): Promise<Started> {
  // A socket path may have 107 bytes, which a deep project folder exceeds; the temporary folder is short and private.
  const socketDir = mkdtempSync(join(tmpdir(), 'turnkeeper-'))
  const socket = join(socketDir, 'redis.sock')
  const persistence =
    durability === 'none'
      ? ['--save', '', '--dir', socketDir]
      : [
          '--appendonly',
          'yes',
          '--appendfsync',
          durability === 'always' ? 'always' : 'everysec',
          '--dir',
          dataDir,
        ]
  if (durability !== 'none') mkdirSync(dataDir, { recursive: true })
  const args = ['--port', '0', '--unixsocket', socket, '--unixsocketperm', '700', ...persistence]
  const shell = spawn(
    '/bin/sh',
    // Reads until our end of the pipe closes, however that happens, then ends the server (E2).
    [
      '-c',
      '"$@" >/dev/null 2>&1 & server=$!; cat >/dev/null; kill $server; wait $server',
      'sh',
      binary,
    ].concat(args, ['--maxmemory-policy', 'noeviction']),
    { stdio: ['pipe', 'ignore', 'ignore'], detached: true },
  )
  shell.unref()
  const gone = new Promise<void>((resolve) => shell.once('exit', () => resolve()))
  const url = `unix://${socket}`
  const stop = async (): Promise<void> => {
    shell.ref()
    shell.stdin.end()
    await gone
    rmSync(socketDir, { recursive: true, force: true })
  }
  try {
    await answers(url, 10_000)
  } catch (cause) {
    await stop()
    throw new TurnkeeperError('redis_unavailable', `${binary} did not start; run it by hand to see why`, {
      cause,
    })
  }
  // The socket must not keep our process alive; the pipe ends with us.
  ;(shell.stdin as unknown as { unref?: () => void }).unref?.()
  return { url, origin: 'spawned', stop }
}

async function startFallback(): Promise<Started | undefined> {
  const module = await import('js-redis-server').catch(() => undefined)
  if (!module) return undefined
  const server = await module.createRedisServer({ port: 0 })
  return { url: `redis://127.0.0.1:${server.port}`, origin: 'fallback', stop: () => server.close() }
}

async function probe(url: string, options: DurabilityOptions): Promise<void> {
  const redis = await connectRedis(url)
  try {
    await checkRedis(redis, options)
  } finally {
    await closeRedis(redis)
  }
}

async function answers(url: string, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs
  for (;;) {
    try {
      await closeRedis(await connectRedis(url, { timeoutMs: 1_000 }))
      return
    } catch (error) {
      if (performance.now() > deadline) throw error
      await sleep(20)
    }
  }
}

async function joinRunning(announcement: string): Promise<Announcement | undefined> {
  if (!existsSync(announcement)) return undefined
  try {
    const found = JSON.parse(readFileSync(announcement, 'utf8')) as Announcement
    await closeRedis(await connectRedis(found.url, { timeoutMs: 2_000 }))
    return found
  } catch {
    return undefined // Left behind by an owner that died (E3): whoever holds the lock replaces it.
  }
}

function announce(file: string, content: Announcement): void {
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(content), { mode: 0o600 })
  renameSync(`${file}.${process.pid}`, file)
}

async function lock(file: string): Promise<() => void> {
  const deadline = performance.now() + LOCK_WAIT_MS
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' })
      return () => rmSync(file, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      if (!alive(readHolder(file))) rmSync(file, { force: true })
      else if (performance.now() > deadline) {
        throw new TurnkeeperError(
          'redis_unavailable',
          `another process has been starting Redis for ${LOCK_WAIT_MS / 1000} s; if it hangs, end it and delete ${file}`,
        )
      } else await sleep(50)
    }
  }
}

function readHolder(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8'))
  } catch {
    return 0
  }
}

function alive(pid: number): boolean {
  if (!pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function onPath(env: NodeJS.ProcessEnv, program: string): string | undefined {
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    if (folder !== '' && existsSync(join(folder, program))) return join(folder, program)
  }
  return undefined
}

function noServer(why: string): TurnkeeperError {
  return new TurnkeeperError(
    'redis_unavailable',
    `no Redis: REDIS_URL is not set, and ${why}. Install one (apt install redis-server | brew install redis),` +
      ' or run: docker run -p 6379:6379 redis redis-server --appendonly yes, and set REDIS_URL=redis://127.0.0.1:6379',
  )
}

function borrowed({ url, origin }: Announcement): RedisServer {
  const close = async (): Promise<void> => {}
  return { url, origin, owned: false, close, [Symbol.asyncDispose]: close }
}

function owned({ url, origin, stop }: Started, announcement: string): RedisServer {
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    closing ??= stop().finally(() => rmSync(announcement, { force: true }))
    return closing
  }
  return { url, origin, owned: true, close, [Symbol.asyncDispose]: close }
}
