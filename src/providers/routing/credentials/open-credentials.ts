/** The credentials of a runtime: on its Redis, over its connections. */

import type { Config, ProviderConfig } from '../../../config/config.ts'
import { TurnkeeperError } from '../../../errors.ts'
import type { RedisConnection } from '../../../redis/connection.ts'
import { globalKeys } from '../../../redis/keys.ts'
import { loadScript } from '../../../redis/scripts.ts'
import type { HttpClient } from '../../http.ts'
import { exchangeSmall } from '../../small-exchange.ts'
import { type CredentialHealth, type Credentials, createCredentials } from './credentials.ts'
import { createTokenSource, type RefreshLease } from './oauth.ts'

export type OpenCredentialsOptions = {
  readonly redis: RedisConnection
  readonly health: CredentialHealth
  readonly clientOf: (provider: ProviderConfig) => HttpClient
}

const TOKEN_TIMEOUT_MS = 15_000

export function openCredentials(
  { providers, routing, redis: { prefix } }: Config,
  { redis, health, clientOf }: OpenCredentialsOptions,
): Credentials {
  const release = loadScript('release', import.meta.url)
  const leaseOf = (subject: string): RefreshLease => {
    const key = `${globalKeys(prefix).health}:refreshing:${subject}`
    return {
      take: async (nonce, forMs) => (await redis.set(key, nonce, 'PX', forMs, 'NX')) === 'OK',
      async release(nonce) {
        await release.run(redis, [key], [nonce]).catch(() => {}) // it ends by itself
      },
    }
  }
  return createCredentials({
    providers,
    cooldown: routing.cooldown,
    health,
    tokensOf(subject, { oauth }) {
      const provider = providers[subject.split('#', 1)[0] ?? '']! // it is one of its credentials
      const post = (url: string, form: URLSearchParams): Promise<unknown> =>
        postForm(clientOf(provider), url, form)
      return createTokenSource({ oauth, lease: leaseOf(subject), post })
    },
    now: () => performance.now(),
    random: Math.random,
  })
}

async function postForm(http: HttpClient, url: string, form: URLSearchParams): Promise<unknown> {
  const headers = {
    accept: 'application/json',
    'content-type': 'application/x-www-form-urlencoded',
    'user-agent': 'turnkeeper',
  }
  const request = { url: new URL(url), headers, body: form.toString() }
  const signal = AbortSignal.timeout(TOKEN_TIMEOUT_MS)
  const { status, text } = await exchangeSmall(http, request, { signal })
  if (status !== 200) {
    throw new TurnkeeperError('invalid_key', `${request.url.host} answered ${status} to a refresh`, {
      status,
    })
  }
  return JSON.parse(text) as unknown
}
