/**
 * The access token of an OAuth login that several processes share through one file.
 *
 *   unread ──read──▶ fresh ──soon over, or refused──▶ refreshing ──file written──▶ fresh
 *
 * O1. A token is refreshed before it is over, and at once when an upstream has refused it.
 * O2. One process of the fleet refreshes: the holder of a lease in Redis; the others wait for the file.
 * O3. Whoever gets the lease reads the file first: a token that somebody else has renewed is not renewed again.
 * O4. The file is replaced whole, so no reader ever sees half of it.
 * O5. A refresh that fails leaves the token as it is: the upstream decides how long it is good.
 */

import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { OAuthConfig } from '../../../config/config.ts'
import { TurnkeeperError } from '../../../errors.ts'
import { asObject } from '../../narrow.ts'
import { readTokenFile, type Tokens, writeTokenFile } from './token-file.ts'

export type TokenSource = {
  /** A token that is believed good; a promise where it has to be read or renewed first. */
  token(): string | Promise<string>
  /** `refused` is no good: another one, if there is one. */
  renew(refused: string): Promise<string>
}

/** Who refreshes. `take` is false where another process does. */
export type RefreshLease = {
  take(nonce: string, forMs: number): Promise<boolean>
  release(nonce: string): Promise<void>
}

export type TokenSourceOptions = {
  readonly oauth: OAuthConfig
  readonly lease: RefreshLease
  /** Posts a form to the token endpoint; resolves to the parsed answer of status 200, else rejects. */
  readonly post: (url: string, form: URLSearchParams) => Promise<unknown>
  /** Epoch milliseconds. Default `Date.now`. */
  readonly now?: () => number
}

/** How long before its end a token is renewed. */
const BEFORE_MS = 60_000
const LEASE_MS = 30_000
const LOOK_AGAIN_MS = 100

/** A source that has read nothing yet. */
export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { oauth, now = Date.now } = options
  let tokens: Tokens | undefined
  let refreshing: Promise<Tokens> | undefined

  const isSoonOver = ({ expiresAt }: Tokens): boolean =>
    expiresAt !== undefined && expiresAt - now() < BEFORE_MS
  const refresh = (old: Tokens): Promise<Tokens> => {
    refreshing ??= refreshOnce(options, old).finally(() => {
      refreshing = undefined
    })
    return refreshing
  }
  const freshToken = async (): Promise<string> => {
    tokens ??= await readTokenFile(oauth.tokenFile)
    if (isSoonOver(tokens)) tokens = await refresh(tokens).catch(() => tokens!) // O5
    return tokens.access
  }
  return {
    token: () => (tokens !== undefined && !isSoonOver(tokens) ? tokens.access : freshToken()),
    async renew(refused) {
      if (tokens !== undefined && tokens.access !== refused) return tokens.access
      tokens = await refresh(tokens ?? (await readTokenFile(oauth.tokenFile)))
      return tokens.access
    },
  }
}

async function refreshOnce(options: TokenSourceOptions, old: Tokens): Promise<Tokens> {
  const { oauth, lease } = options
  const nonce = randomBytes(9).toString('base64url')
  const givenUpAt = performance.now() + LEASE_MS
  for (;;) {
    const found = await readTokenFile(oauth.tokenFile)
    if (found.access !== old.access) return found // O3
    if (await lease.take(nonce, LEASE_MS)) break
    if (performance.now() > givenUpAt)
      throw failed(oauth, 'another process has not renewed the token in time')
    await sleep(LOOK_AGAIN_MS)
  }
  try {
    const found = await readTokenFile(oauth.tokenFile)
    if (found.access !== old.access) return found
    const renewed = await requestTokens(options, found)
    await writeTokenFile(oauth.tokenFile, renewed)
    return renewed
  } finally {
    await lease.release(nonce)
  }
}

/** RFC 6749 section 6. */
async function requestTokens(
  { oauth, post, now = Date.now }: TokenSourceOptions,
  { refresh }: Tokens,
): Promise<Tokens> {
  if (refresh === undefined) throw failed(oauth, 'there is no refresh_token in the file')
  const { clientId, tokenUrl } = oauth
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    refresh_token: refresh,
    client_id: clientId,
  })
  const answer = asObject(await post(tokenUrl, form))
  const access = answer?.access_token
  if (typeof access !== 'string' || access === '') throw failed(oauth, 'the answer has no access_token')
  const { refresh_token: next, expires_in: seconds } = answer ?? {}
  return {
    access,
    refresh: typeof next === 'string' && next !== '' ? next : refresh,
    expiresAt: typeof seconds === 'number' ? now() + seconds * 1000 : undefined,
  }
}

function failed({ tokenUrl }: OAuthConfig, problem: string): TurnkeeperError {
  return new TurnkeeperError('invalid_key', `no new token from ${tokenUrl}: ${problem}; log in again`)
}
