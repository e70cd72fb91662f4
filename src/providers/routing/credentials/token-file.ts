import { randomBytes } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { TurnkeeperError } from '../../../errors.ts'
import { asObject } from '../../narrow.ts'

/** The tokens of an OAuth login. */
export type Tokens = {
  readonly access: string
  readonly refresh: string | undefined
  /** Epoch milliseconds; undefined where the file does not say. */
  readonly expiresAt: number | undefined
}

/** Reads a token file. Rejects with `config/invalid_config`, saying what is wrong with it; never with its content. */
export async function readTokenFile(file: string): Promise<Tokens> {
  const { access_token: access, refresh_token: refresh, expires_at: expires } = await readObject(file)
  if (typeof access !== 'string' || access === '') throw unreadable(file, 'has no "access_token"')
  return {
    access,
    refresh: typeof refresh === 'string' && refresh !== '' ? refresh : undefined,
    expiresAt: expiryToMs(expires),
  }
}

/** Replaces the file at once, readable for its owner alone; fields that are not ours stay. */
export async function writeTokenFile(file: string, { access, refresh, expiresAt }: Tokens): Promise<void> {
  const others = await readObject(file).catch(() => ({}))
  const content = {
    ...others,
    access_token: access,
    ...(refresh !== undefined && { refresh_token: refresh }),
    ...(expiresAt !== undefined && { expires_at: Math.floor(expiresAt / 1000) }),
  }
  const beside = `${file}.${randomBytes(4).toString('hex')}`
  try {
    await writeFile(beside, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600, flush: true })
    await rename(beside, file)
  } finally {
    await rm(beside, { force: true })
  }
}

async function readObject(file: string): Promise<Readonly<Record<string, unknown>>> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    throw unreadable(file, 'cannot be read', cause)
  }
  try {
    const content = asObject(JSON.parse(text))
    if (content !== undefined) return content
  } catch {
    // told below: the parser's own message would quote the file
  }
  throw unreadable(file, 'is not a JSON object')
}

/** Seconds or milliseconds since 1970, or a date. */
function expiryToMs(value: unknown): number | undefined {
  if (typeof value === 'number' && Number.isFinite(value)) return value < 1e11 ? value * 1000 : value
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(at) ? undefined : at
}

function unreadable(file: string, problem: string, cause?: unknown): TurnkeeperError {
  const expected = 'expected {"access_token": …, "refresh_token": …, "expires_at": …}'
  return new TurnkeeperError('invalid_config', `the token file ${file} ${problem}: ${expected}`, {
    ...(cause !== undefined && { cause }),
  })
}
