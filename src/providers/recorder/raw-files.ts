/**
 * Files of lines, one record a line: appended by one process, rotated by size and age, removed when too old.
 *
 * F1. Only this process appends to a file; any process may remove one that is older than it must be kept.
 * F2. Folder and files can be read by their owner alone.
 * F3. Nothing is created before the first line.
 */

import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, stat, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'

import type { RawLocation } from './record.ts'

export type RawFiles = {
  /** Where `text` now stands as a line. Rejects where the disk refuses it. */
  append(text: string): Promise<RawLocation>
  close(): Promise<void>
}

export type RawFilesOptions = {
  readonly dir: string
  readonly keepMs: number
  /** A file that has reached it is closed. Default 32 MB. */
  readonly fileBytes?: number
  /** Epoch milliseconds. Default `Date.now`. */
  readonly now?: () => number
}

const FILE_BYTES = 33_554_432
/** A file is removed as a whole, so a young record keeps an old one at most so much longer. */
const FILE_AGE_MS = 3_600_000
const FILE_NAME = /^records-\d{8}T\d{6}-[\w-]+\.jsonl$/

type OpenFile = {
  readonly handle: FileHandle
  readonly path: string
  readonly openedAt: number
  size: number
}

/** Files below `dir`. The caller appends one line after the other. */
export function createRawFiles(options: RawFilesOptions): RawFiles {
  const { dir, keepMs, fileBytes = FILE_BYTES, now = Date.now } = options
  let current: OpenFile | undefined

  const rotate = async (): Promise<OpenFile> => {
    await current?.handle.close().catch(() => {})
    current = undefined
    await mkdir(dir, { recursive: true, mode: 0o700 })
    await removeOld(dir, now() - keepMs)
    const path = join(dir, fileName(now()))
    const handle = await open(path, 'a', 0o600)
    current = { handle, path, openedAt: now(), size: 0 }
    return current
  }
  const file = async (): Promise<OpenFile> => {
    const isFull = current === undefined || current.size >= fileBytes
    return isFull || now() - current!.openedAt >= Math.min(FILE_AGE_MS, keepMs) ? rotate() : current!
  }
  return {
    async append(text) {
      const target = await file()
      const { path, size: offset } = target
      const line = Buffer.from(`${text}\n`)
      try {
        await target.handle.appendFile(line)
      } catch (error) {
        current = undefined // part of the line may have been written: the next one begins a new file
        await target.handle.close().catch(() => {})
        throw error
      }
      target.size += line.length
      return { host: hostname(), file: path, offset, lineBytes: line.length }
    },
    async close() {
      await current?.handle.close().catch(() => {})
      current = undefined
    },
  }
}

/** The line at `location`, if this machine still has the file. */
export async function readRecordLine({ file, offset, lineBytes }: RawLocation): Promise<string | undefined> {
  const handle = await open(file, 'r').catch(() => undefined)
  if (handle === undefined) return undefined
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(lineBytes), 0, lineBytes, offset)
    return bytesRead === lineBytes ? buffer.toString('utf8').trimEnd() : undefined
  } finally {
    await handle.close()
  }
}

function fileName(at: number): string {
  const stamp = new Date(at).toISOString().replace(/[-:]|\.\d+Z/g, '')
  return `records-${stamp}-${process.pid}-${randomBytes(3).toString('hex')}.jsonl`
}

async function removeOld(dir: string, before: number): Promise<void> {
  for (const name of await readdir(dir)) {
    if (!FILE_NAME.test(name)) continue
    const path = join(dir, name)
    const info = await stat(path).catch(() => undefined)
    // another process may have been first
    if (info !== undefined && info.mtimeMs < before) await unlink(path).catch(() => {})
  }
}
