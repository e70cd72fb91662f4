/** The parts of a provider runtime that decide, put together as the runtime does, on a Redis of their own. */

import { loadConfig } from '../../../src/config/load.ts'
import { type Health, openHealth } from '../../../src/providers/routing/breaker/health.ts'
import { credentialPolicyFromConfig, policyFromConfig } from '../../../src/providers/routing/breaker/rules.ts'
import { credentialSubject } from '../../../src/providers/routing/breaker/subjects.ts'
import { createPlaces, type Places } from '../../../src/providers/routing/choice/places.ts'
import {
  type Credentials,
  createCredentials,
} from '../../../src/providers/routing/credentials/credentials.ts'
import { createRouteTable, type RouteTable } from '../../../src/providers/routing/route-table.ts'
import { createRouter, type Router } from '../../../src/providers/routing/router.ts'
import { closeRedis, connectRedis } from '../../../src/redis/connection.ts'
import { startRedis } from '../redis.ts'

export type World = {
  readonly table: RouteTable
  readonly health: Health
  readonly credentials: Credentials
  readonly places: Places
  readonly router: Router
  close(): Promise<void>
}

/** An alias `model` of two routes of one provider with one credential. */
export async function openWorld(): Promise<World> {
  await using opening = new AsyncDisposableStack()
  const redis = opening.use(await startRedis())
  const config = await loadConfig({
    redis: { url: redis.url, durability: 'none' },
    providers: {
      main: {
        ...{ protocol: 'openai-chat', baseUrl: 'http://127.0.0.1:9/v1', concurrency: 200 },
        credentials: [{ id: 'main', apiKey: 'sk-none-0123456789abcdef' }],
      },
    },
    models: { model: { routes: ['main/first', 'main/second'] } },
  })
  const command = opening.adopt(await connectRedis(redis.url), closeRedis)
  const subscriber = opening.adopt(await connectRedis(redis.url, { role: 'subscriber' }), closeRedis)
  const table = createRouteTable(config)
  const subjects = config.providers.main!.credentials.map((one) => credentialSubject('main', one))
  const health = opening.use(
    await openHealth({
      ...{ redis: command, subscriber, prefix: 'bench', routes: table.routes.map(({ name }) => name) },
      policy: policyFromConfig(config.breakers),
      credentials: { subjects, policy: credentialPolicyFromConfig(config.breakers) },
    }),
  )
  const credentials = createCredentials({
    ...{ providers: config.providers, cooldown: config.routing.cooldown, health, random: Math.random },
    now: () => performance.now(),
    tokensOf: () => {
      throw new Error('no token files here')
    },
  })
  const places = createPlaces({ main: 200 })
  const router = createRouter({ table, health, credentials, places })
  const parts = opening.move()
  return { table, health, credentials, places, router, close: () => parts.disposeAsync() }
}
