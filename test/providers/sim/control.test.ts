import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createSim, type Sim } from '../../../src/providers/sim/sim.ts'
import { GREETING, post } from './chat.ts'

let sim: Sim
let nowMs: number
beforeEach(async () => {
  nowMs = 1_000_000
  sim = await createSim({ seed: 7, now: () => nowMs })
})
afterEach(() => sim.close())

async function status(model: string): Promise<number> {
  return (await post(sim, { model, ...GREETING })).status
}

async function statuses(model: string, count: number): Promise<readonly number[]> {
  const all: number[] = []
  for (let nth = 0; nth < count; nth += 1) all.push(await status(model))
  return all
}

function control(method: string, body?: unknown): Promise<Response> {
  return fetch(`${sim.url}/_control`, { method, ...(body !== undefined && { body: JSON.stringify(body) }) })
}

describe('control', () => {
  test('a rule makes one model misbehave until it is cleared', async () => {
    expect((await control('POST', { model: 'a', fault: '500' })).status).toBe(200)
    expect(await status('a')).toBe(500)
    expect(await status('b')).toBe(200)
    await control('DELETE')
    expect(await status('a')).toBe(200)
  })

  test('a rule for one model goes before a rule for all, and a suffix before both', async () => {
    sim.control({ model: 'a', fault: 'plain' })
    sim.control({ model: '*', fault: '500' })
    expect([await status('a'), await status('b'), await status('b+529')]).toEqual([200, 500, 529])
  })

  test('times ends a rule after so many requests', async () => {
    sim.control({ model: '*', fault: '500', times: 2 })
    expect(await statuses('a', 3)).toEqual([500, 500, 200])
  })

  test('forMs ends a rule by the clock', async () => {
    sim.control({ model: '*', fault: '500', forMs: 1000 })
    nowMs += 999
    expect(await status('a')).toBe(500)
    nowMs += 1
    expect(await status('a')).toBe(200)
  })

  test('share hits a part of the requests, the same ones for the same seed', async () => {
    const run = async () => {
      await using own = await createSim({ seed: 11 })
      own.control({ model: '*', fault: '500', share: 0.3 })
      const all: number[] = []
      for (let nth = 0; nth < 60; nth += 1) all.push((await post(own, { model: 'a', ...GREETING })).status)
      return all
    }
    const first = await run()
    expect(await run()).toEqual(first)
    const hits = first.filter((code) => code === 500).length
    expect(hits).toBeGreaterThan(8)
    expect(hits).toBeLessThan(30)
  })

  test.each([
    [{ model: '*', fault: 'nope' }, 'known are'],
    [{ model: '*', fault: 'html', share: 2 }, 'share'],
    [{ model: '*', fault: 'html', often: 2 }, 'often'],
    [{ fault: 'html' }, 'model'],
  ])('a bad rule %j is refused with the reason', async (rule, word) => {
    const response = await control('POST', rule)
    expect(response.status).toBe(400)
    expect(await response.text()).toContain(word)
  })

  test('the method throws where the endpoint refuses', () => {
    expect(() => sim.control({ model: '*', fault: 'nope' })).toThrow(/unknown fault "nope": known are .*html/)
  })
})

describe('log', () => {
  test('it tells what was asked and served, without content and keys', async () => {
    await post(sim, { model: 'a+html', stream: true, ...GREETING }).then((response) => response.text())
    await expect.poll(() => sim.log()[0]?.endedAt).not.toBeNull()
    const text = await (await fetch(`${sim.url}/_log`)).text()
    const { requests } = JSON.parse(text) as { requests: unknown[] }
    expect(requests).toHaveLength(1)
    expect(requests[0]).toMatchObject({
      at: 1_000_000,
      path: '/v1/chat/completions',
      protocol: 'openai-chat',
      model: 'a+html',
      stream: true,
      fault: 'html',
      status: 200,
      aborted: false,
      headers: { 'x-trace': 'kept' },
    })
    expect(text).not.toMatch(/secret|fine day/)
  })

  test('refused requests are logged too', async () => {
    await post(sim, { model: 'a+nope', ...GREETING })
    await post(sim, {})
    expect(sim.log().map((request) => [request.model, request.status])).toEqual([
      ['a+nope', 400],
      [null, 400],
    ])
  })
})
