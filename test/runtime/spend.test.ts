import { expect, test } from 'vitest'
import { defineAgent } from '../../src/runtime/agent.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { openScriptedWorker, scriptedModel } from './scripted-worker.ts'

test('what an ended turn has cost is counted for its segment, once and for this day', async () => {
  const server = await startAnyRedis()
  const { call } = scriptedModel({ text: 'one' }, { text: 'two' }, { text: 'three' })
  const worker = await openScriptedWorker(
    server.url,
    [defineAgent({ name: 'a', model: 'coder' })],
    async (...args) => ({ ...(await call(...args)), costUsd: 0.25 }),
  )
  for (const segment of ['app', 'app', undefined]) {
    const turn = await worker.client.enqueue('a', { input: 'x', ...(segment && { segment }) })
    await worker.wake(turn.id, `job-${turn.id}`)
    await worker.wake(turn.id, `again-${turn.id}`)
    expect((await turn.result()).costUsd).toBe(0.25)
  }
  expect(await worker.backend.spend.today('app')).toBe(0.5)
  expect(await worker.backend.spend.today('default')).toBe(0)
  await worker.close()
  await server.close()
})
