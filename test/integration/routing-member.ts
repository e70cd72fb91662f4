/** One process of a fleet with a provider runtime of its own, driven by messages of its parent. */

import { loadConfig } from '../../src/config/load.ts'
import { openProviderRuntime } from '../../src/providers/runtime.ts'
import { closeRedis, connectRedis } from '../../src/redis/connection.ts'
import type { MemberNews, MemberOrder } from './routing-fleet.ts'

const config = await loadConfig(JSON.parse(process.argv[2] ?? '{}') as object)
const url = config.redis.url ?? ''
const command = await connectRedis(url)
const subscriber = await connectRedis(url, { role: 'subscriber' })
const runtime = await openProviderRuntime(config, { redis: { command, subscriber } })
const tell = (news: MemberNews): void => void process.send?.(news)

const seen = new Map<string, string>()
const watch = setInterval(() => {
  const aliases = runtime.mitigations.standings().map(({ alias: name, state }) => ({ name, state }))
  for (const { name: route, state } of [...runtime.routes(), ...aliases]) {
    if (seen.get(route) === state) continue
    seen.set(route, state)
    tell({ type: 'state', route, state, at: Date.now() })
  }
}, 5)

process.on('message', (order: MemberOrder) => {
  if (order.type === 'leave') void leave()
  else void call(order.id, order.model)
})

async function call(id: number, model: string): Promise<void> {
  const startedAt = Date.now()
  const { outcome, attempts } = await runtime.run(
    { model, messages: [{ role: 'user', content: 'hello' }] },
    () => {},
  )
  tell({ type: 'called', id, outcome, attempts: attempts.length, tookMs: Date.now() - startedAt })
}

async function leave(): Promise<void> {
  clearInterval(watch)
  await runtime.close()
  await closeRedis(command)
  await closeRedis(subscriber)
  process.disconnect?.()
}
