/** One process of a fleet, driven by messages of its parent: tells every change of the route that it sees. */

import { openHealth } from '../../../src/providers/routing/breaker/health.ts'
import { closeRedis, connectRedis } from '../../../src/redis/connection.ts'
import { FLEET_POLICY, FLEET_ROUTE, type FleetOrder } from './fleet.ts'

const url = process.argv[2] ?? ''
const redis = await connectRedis(url)
const subscriber = await connectRedis(url, { role: 'subscriber' })
const health = await openHealth({
  redis,
  subscriber,
  prefix: 'fleet',
  routes: [FLEET_ROUTE],
  policy: FLEET_POLICY,
  async probe() {
    await redis.incr('probes')
    await new Promise((resolve) => setTimeout(resolve, 50))
    return 'ok'
  },
})
let state = ''
const watch = setInterval(() => {
  const now = health.view(FLEET_ROUTE).state
  if (now !== state) process.send?.({ state: now, at: Date.now() })
  state = now
}, 5)

process.on('message', (order: FleetOrder) => {
  if (order === 'fail') health.report(FLEET_ROUTE, health.view(FLEET_ROUTE).generation, 'html_payload')
  else void leave()
})

async function leave(): Promise<void> {
  clearInterval(watch)
  await health.close()
  await closeRedis(redis)
  await closeRedis(subscriber)
  process.disconnect?.()
}
