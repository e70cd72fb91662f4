import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FAULT_NAMES } from '../../../src/providers/sim/faults.ts'
import { createSim, type Sim } from '../../../src/providers/sim/sim.ts'
import {
  dechunk,
  eventData,
  events,
  GREETING,
  post,
  rawPost,
  type WireAnswer,
  type WireError,
} from './chat.ts'

let sim: Sim
beforeAll(async () => {
  sim = await createSim()
})
afterAll(() => sim.close())

const json = (fault: string) => ({ model: `any+${fault}`, ...GREETING })
const stream = (fault: string) => ({ ...json(fault), stream: true })

async function rejects(response: Response): Promise<boolean> {
  return await response.arrayBuffer().then(
    () => false,
    () => true,
  )
}

describe('whole answers replaced', () => {
  test('html is a page with status 200', async () => {
    const response = await post(sim, stream('html'))
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toContain('text/html')
    expect(await response.text()).toMatch(/^<!DOCTYPE html>/)
  })

  test('html502 is the page of an edge with status 502', async () => {
    const response = await post(sim, json('html502'))
    expect(response.status).toBe(502)
    expect(await response.text()).toContain('502 Bad Gateway')
  })

  test('429 carries the retry-after that it was given, number or date', async () => {
    const response = await post(sim, json('429:7'))
    expect(response.status).toBe(429)
    expect(response.headers.get('retry-after')).toBe('7')
    expect(((await response.json()) as WireError).error.type).toBe('rate_limit_exceeded')
    const dated = await post(sim, json('429:Wed, 21 Oct 2026 07:28:00 GMT'))
    expect(dated.headers.get('retry-after')).toBe('Wed, 21 Oct 2026 07:28:00 GMT')
  })

  test.each([
    ['500', 500],
    ['529', 529],
    ['status:401', 401],
  ])('%s is a JSON error with that status, also for a stream', async (fault, status) => {
    const response = await post(sim, stream(fault))
    expect(response.status).toBe(status)
    expect(((await response.json()) as WireError).error.message).toMatch(/\w/)
  })

  test('garbage is binary under the promised content type', async () => {
    const response = await post(sim, json('garbage'))
    expect(response.headers.get('content-type')).toBe('application/json')
    const bytes = Buffer.from(await response.arrayBuffer())
    expect(bytes.subarray(0, 2)).toEqual(Buffer.from([0x00, 0xff]))
    expect(bytes).toHaveLength(512)
  })

  test('empty is a complete answer of no bytes', async () => {
    const raw = await rawPost(sim, stream('empty'))
    expect(raw.head).toContain('content-length: 0')
    expect(raw.body).toHaveLength(0)
    expect(raw.closed).toBe(false)
  })

  test('gzip compresses the body and does not say so', async () => {
    const response = await post(sim, stream('gzip'))
    expect(response.headers.get('content-encoding')).toBeNull()
    const body = gunzipSync(Buffer.from(await response.arrayBuffer())).toString()
    expect(eventData(body).at(-1)).toBe('[DONE]')
  })

  test('wrongtype labels JSON as events and events as JSON', async () => {
    const labelled = await post(sim, json('wrongtype'))
    expect(labelled.headers.get('content-type')).toContain('text/event-stream')
    expect(((await labelled.json()) as WireAnswer).object).toBe('chat.completion')
    const streamed = await post(sim, stream('wrongtype'))
    expect(streamed.headers.get('content-type')).toBe('application/json')
    expect(eventData(await streamed.text()).at(-1)).toBe('[DONE]')
  })

  test('plain changes nothing', async () => {
    const response = await post(sim, json('plain'))
    expect(((await response.json()) as WireAnswer).choices[0]?.finish_reason).toBe('stop')
  })
})

describe('bodies that break off', () => {
  test('stall sends exactly so many bytes and keeps the connection open', async () => {
    const raw = await rawPost(sim, stream('stall:200'))
    expect(dechunk(raw.body)).toMatchObject({ payload: { length: 200 }, terminated: false })
    expect(raw.closed).toBe(false)
    const whole = await rawPost(sim, json('stall:40'))
    expect(whole.body).toHaveLength(40)
    expect(Number(/content-length: (\d+)/.exec(whole.head)?.[1])).toBeGreaterThan(40)
  })

  test('stall:0 sends the headers and nothing else', async () => {
    const raw = await rawPost(sim, stream('stall:0'))
    expect(raw.head).toContain('200 OK')
    expect(raw.body).toHaveLength(0)
    expect(raw.closed).toBe(false)
  })

  test('a client that gives up on a stall is logged as aborted', async () => {
    const own = await createSim()
    await expect(
      post(own, stream('stall:10'), { signal: AbortSignal.timeout(400) }).then(rejects),
    ).resolves.toBe(true)
    await expect.poll(() => own.log()[0]?.aborted).toBe(true)
    expect(own.log()[0]).toMatchObject({ fault: 'stall:10', bytes: 10, endedAt: expect.any(Number) })
    await own.close()
  })

  test('cut sends exactly so many bytes and closes the socket without ending the body', async () => {
    const raw = await rawPost(sim, stream('cut:300'))
    expect(dechunk(raw.body)).toMatchObject({ payload: { length: 300 }, terminated: false })
    expect(raw.closed).toBe(true)
    expect((await rawPost(sim, json('cut:0'))).closed).toBe(true)
    expect(await rejects(await post(sim, stream('cut:300')))).toBe(true)
    expect(sim.log().at(-1)?.aborted).toBe(false)
  })

  test('truncate sends exactly so many bytes and ends the body properly', async () => {
    const raw = await rawPost(sim, stream('truncate:250'))
    expect(dechunk(raw.body)).toMatchObject({ payload: { length: 250 }, terminated: true })
    const response = await post(sim, json('truncate:30'))
    expect(await response.text()).toHaveLength(30)
  })

  test('nodone finishes without [DONE]', async () => {
    const body = await (await post(sim, stream('nodone'))).text()
    expect(body).not.toContain('[DONE]')
    expect(events(body).at(-1)?.choices?.[0]?.finish_reason).toBe('stop')
  })
})

describe('errors after status 200', () => {
  test('error comes inside the stream, at the first event boundary after so many bytes', async () => {
    const response = await post(sim, stream('error:400'))
    expect(response.status).toBe(200)
    const body = await response.text()
    const at = body.indexOf('data: {"error"')
    expect(at).toBeGreaterThanOrEqual(400)
    expect(body.slice(at - 2, at)).toBe('\n\n')
    expect(events(body).at(-1)?.error?.type).toBe('server_error')
    expect(events(body).some((event) => event.choices?.[0]?.finish_reason === 'stop')).toBe(false)
  })

  test('error:0 comes before any content', async () => {
    const all = events(await (await post(sim, stream('error:0'))).text())
    expect(all).toHaveLength(1)
  })

  test('error is an error object with status 200 where no stream was asked for', async () => {
    const response = await post(sim, json('error:0'))
    expect(response.status).toBe(200)
    expect(((await response.json()) as WireError).error.message).toMatch(/\w/)
  })
})

describe('slowness', () => {
  test('slowheaders holds the status line back', async () => {
    const raw = await rawPost(sim, json('slowheaders:5000'), { quietMs: 60 })
    expect(raw.head).toBe('')
    const startedAt = performance.now()
    await post(sim, json('slowheaders:80'))
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(75)
  })

  test('slow waits before each event', async () => {
    const startedAt = performance.now()
    const body = await (await post(sim, stream('slow:5'))).text()
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(eventData(body).length * 4)
  })
})

describe('names of faults', () => {
  test('every fault of the contract is known', () => {
    const contract =
      'html html502 stall cut truncate error 429 500 529 slowheaders slow wrongtype garbage empty nodone gzip'
    expect(FAULT_NAMES).toEqual(expect.arrayContaining(contract.split(' ')))
  })

  test.each(['htm', 'stall:many', 'html:3', 'status', 'status:200', 'toString'])(
    '%s is refused with a sentence, and unknown names with the list',
    async (fault) => {
      const response = await post(sim, json(fault))
      expect(response.status).toBe(400)
      const { message } = ((await response.json()) as WireError).error
      expect(message).toContain(fault.split(':')[0])
      if (fault === 'htm') expect(message).toContain('wrongtype')
    },
  )
})
