import { Writable } from 'node:stream'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Config } from '../../../../src/config/config.ts'
import { loadConfig } from '../../../../src/config/load.ts'
import { openProviderRuntime, type ProviderRuntime } from '../../../../src/providers/runtime.ts'
import { createSim, type Sim } from '../../../../src/providers/sim/sim.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../../../src/redis/connection.ts'
import type { RedisServer } from '../../../../src/redis/embedded.ts'
import { createTelemetry, type RunningTelemetry } from '../../../../src/telemetry/create.ts'
import { serverKinds, startRedis } from '../../../redis-servers.ts'

/** One process of a fleet of two: its own connections, its own telemetry. */
type Member = {
  readonly runtime: ProviderRuntime
  readonly log: () => string
  readonly metrics: () => Promise<string>
  readonly command: RedisConnection
  close(): Promise<void>
}

/** Ten minutes, fifteen minutes and twenty attempts, shortened. */
const WINDOW_MS = 3000
const HOLD_MS = 1500
const MIN = 10

describe.each(serverKinds)('two runtimes on one alias with a fallback (%s)', (kind) => {
  let sim: Sim
  let server: RedisServer
  let config: Config
  let members: Member[] = []
  let count = 0
  const member = (i: number): Member => members[i % members.length]!
  const stateOf = (i: number, segment?: string) =>
    member(i)
      .runtime.mitigations.standings()
      .find((one) => one.segment === segment)?.state ?? 'normal'
  const states = (segment?: string) => members.map((_, i) => stateOf(i, segment))
  const call = (i: number, segment?: string) =>
    member(i).runtime.run({ model: 'coder', messages: [{ role: 'user', content: 'hi' }] }, () => {}, {
      ...(segment !== undefined && { segment }),
    })
  const calls = async (n: number, segment?: string) => {
    const made: Awaited<ReturnType<typeof call>>[] = []
    for (let i = 0; i < n; i++) made.push(await call(i, segment))
    return made
  }
  /** Calls until both runtimes see the alias in `state`. */
  const callUntil = async (state: string, segment?: string): Promise<void> => {
    const until = performance.now() + 20_000
    while (states(segment).some((one) => one !== state)) {
      if (performance.now() > until) throw new Error(`still ${states(segment)}, not ${state}`)
      await calls(4, segment)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  const open = async (): Promise<Member> => {
    let logged = ''
    const logStream = new Writable({
      write(chunk, _encoding, done) {
        logged += String(chunk)
        done()
      },
    })
    const telemetry: RunningTelemetry = await createTelemetry({
      config: config.telemetry,
      metrics: { host: '127.0.0.1', port: 0, explicit: true },
      service: 'test',
      version: '0',
      strictLabels: true,
      logStream,
    })
    const command = await connectRedis(server.url)
    const subscriber = await connectRedis(server.url, { role: 'subscriber' })
    const runtime = await openProviderRuntime(config, {
      redis: { command, subscriber },
      telemetry,
      tickMs: 100,
    })
    return {
      runtime,
      command,
      log: () => logged,
      metrics: async () => (await fetch(telemetry.metricsUrl ?? '')).text(),
      async close() {
        await runtime.close()
        await telemetry.close()
        await closeRedis(command)
        await closeRedis(subscriber)
      },
    }
  }
  const total = async (result: string): Promise<number> => {
    const pages = await Promise.all(members.map(({ metrics }) => metrics()))
    const line = new RegExp(`^route_mitigations_total\\{alias="coder",result="${result}"\\} (\\d+)`, 'm')
    return pages.reduce((sum, page) => sum + Number(line.exec(page)?.[1] ?? Number.NaN), 0)
  }

  beforeAll(async () => {
    sim = await createSim()
    server = await startRedis(kind)
  })
  afterAll(async () => {
    await server.close()
    await sim.close()
  })
  beforeEach(async () => {
    const mitigation = { fallback: 'safe', window: `${WINDOW_MS}ms`, hold: `${HOLD_MS}ms`, minAttempts: MIN }
    config = await loadConfig({
      redis: { prefix: `mitigation${count++}` },
      providers: { sim: { protocol: 'openai-chat', baseUrl: `${sim.url}/v1` } },
      models: {
        // Whatever health says: a route that was left is degraded, and would get no traffic for a minute.
        coder: { strategy: 'first_available', routes: ['sim/first', 'sim/second'], mitigation },
        safe: { routes: ['sim/safe'] },
      },
      // The breakers stay out of it: what is tested is the ratio of the alias.
      breakers: { errors: { min: 100_000 } },
      routing: { retries: 0, backoff: { base: '1ms', max: '10ms' }, retryBudget: 1 },
    })
    members = await Promise.all([open(), open()])
  })
  afterEach(async () => {
    sim.clear()
    await Promise.all(members.map((one) => one.close()))
  })

  test('an alias with errors moves by itself, holds, returns in steps, and all of it is told', async () => {
    expect(await call(0)).toMatchObject({ route: 'sim/first', decisions: [] })
    sim.control({ model: 'first', fault: '500', share: 0.5 })
    await callUntil('moved')
    const [moved] = member(1).runtime.mitigations.standings()
    expect(moved).toMatchObject({ alias: 'coder', state: 'moved', reason: 'errors' })
    expect(moved?.leftMs).toBeLessThanOrEqual(HOLD_MS)

    const away = await call(1)
    expect(away).toMatchObject({ outcome: 'ok', route: 'sim/safe' })
    expect(away.attempts).toHaveLength(1)
    expect(away.decisions).toEqual([
      { type: 'mitigate', from: 'sim/first', to: 'sim/safe', reason: 'errors' },
    ])
    const explained = await member(0).runtime.explain('coder')
    expect(explained).toMatchObject({ model: 'coder', mitigation: { state: 'moved', fallback: 'safe' } })
    expect(explained?.candidates.map(({ route, chosen }) => [route, chosen])).toEqual([
      ['sim/safe', true],
      ['sim/first', false],
      ['sim/second', false],
    ])
    expect(explained?.candidates[1]?.reason).toMatch(/^moved to safe \(errors\) until 20/)
    expect(await member(1).metrics()).toContain(
      'route_mitigation_active{alias="coder",from_route="sim/first",to_route="sim/safe"} 1',
    )

    sim.clear()
    await callUntil('normal')
    expect(await call(0)).toMatchObject({ route: 'sim/first', decisions: [] })
    const history = await member(0).runtime.mitigations.history()
    const ends = history.map(({ to }) => to).filter((to) => to !== 'warned')
    expect(ends).toEqual(['moved', 'returning', 'returning', 'returning', 'returning', 'normal'])
    expect(history.find(({ to }) => to === 'moved')).toMatchObject({ alias: 'coder', reason: 'errors' })
    const at = (to: string): number => history.find((move) => move.to === to)?.at ?? 0
    // The history says when a move was written, the hold begins when it was decided.
    expect(at('returning') - at('moved')).toBeGreaterThan(HOLD_MS - 200)
    // One process makes a move and tells of it, not each that sees it.
    expect(await total('moved')).toBe(1)
    expect(await total('returning')).toBe(4)
    expect(await total('returned')).toBe(1)
    expect(await total('failed')).toBe(0)
    const lines = members.flatMap(({ log }) => log().split('\n'))
    const said = (text: string): number => lines.filter((line) => line.includes(`"${text}"`)).length
    expect(said('alias moved to its fallback')).toBe(1)
    expect(said('alias returns to its own routes')).toBe(4)
    expect(said('alias is back on its own routes')).toBe(1)
    expect(await member(1).metrics()).toMatch(/route_mitigation_active\{alias="coder",.*\} 0/)
  }, 60_000)

  test('errors that come back while it returns lead to the whole hold again', async () => {
    sim.control({ model: 'first', fault: '500' })
    await callUntil('moved')
    await callUntil('returning')
    await callUntil('moved')
    const last = (await member(0).runtime.mitigations.history()).at(-1)
    expect(last).toMatchObject({ from: 'returning', to: 'moved', reason: 'errors_returned' })
  }, 60_000)

  test('a model that one segment may not have moves that segment alone', async () => {
    sim.control({ model: 'first', fault: 'status:404' })
    await callUntil('moved', 'key-a')
    sim.clear()
    expect(states()).toEqual(['normal', 'normal'])
    expect((await call(1, 'key-a')).decisions).toMatchObject([
      { type: 'mitigate', reason: 'model_not_found' },
    ])
    expect(await call(1, 'key-b')).toMatchObject({ route: 'sim/first', decisions: [] })
    expect(await call(1)).toMatchObject({ route: 'sim/first', decisions: [] })
    expect(await member(0).runtime.explain('coder', { segment: 'key-a' })).toMatchObject({
      mitigation: { state: 'moved' },
    })
    expect(await member(0).runtime.explain('coder')).toMatchObject({ mitigation: { state: 'normal' } })
    const answered = await member(0).runtime.complete(
      { model: 'coder', messages: [{ role: 'user', content: 'hi' }] },
      { segment: 'key-a' },
    )
    expect(answered.route).toBe('sim/safe')
    let route = ''
    for await (const part of member(0).runtime.stream(
      { model: 'coder', messages: [{ role: 'user', content: 'hi' }] },
      { segment: 'key-a' },
    )) {
      if (part.type === 'start') route = part.route
    }
    expect(route).toBe('sim/safe')
  }, 60_000)

  test('the errors of one segment are those of the alias too, where they are enough', async () => {
    sim.control({ model: 'first', fault: '500' })
    await callUntil('moved', 'key-a')
    await expect.poll(() => states()).toEqual(['moved', 'moved'])
  }, 60_000)

  test('an alias stays when its fallback cannot serve, and that is said once', async () => {
    await member(0).runtime.force('sim/safe', { state: 'open', by: 'test' })
    await expect
      .poll(() =>
        members.map(({ runtime }) => runtime.routes().find((one) => one.name === 'sim/safe')?.state),
      )
      .toEqual(['open', 'open'])
    sim.control({ model: 'first', fault: '500' })
    await callUntil('warned')
    await expect.poll(() => total('failed')).toBe(1)
    expect(await call(0)).toMatchObject({ route: 'sim/second' })
    expect(members.map(({ log }) => log()).join('')).toContain('its fallback has no usable route')
    // As soon as it can, it moves.
    await member(0).runtime.force('sim/safe', { state: 'reset', by: 'test' })
    await callUntil('moved')
  }, 60_000)

  test('a fallback that fails after the move leaves the alias with its own routes', async () => {
    sim.control({ model: 'first', fault: '500' })
    await callUntil('moved')
    await member(0).runtime.force('sim/safe', { state: 'open', by: 'test' })
    await expect
      .poll(
        () =>
          member(0)
            .runtime.routes()
            .find(({ name }) => name === 'sim/safe')?.state,
      )
      .toBe('open')
    expect(await call(0)).toMatchObject({ outcome: 'ok', decisions: [{ type: 'reroute', to: 'sim/second' }] })
  }, 60_000)

  test('a call costs no command of Redis while all is well', async () => {
    await calls(2)
    let sent = 0
    // A cluster's connection types it otherwise; what is sent goes through here in both.
    const sender = member(0).command as unknown as { sendCommand(command: unknown, to: unknown): unknown }
    const send = sender.sendCommand.bind(sender)
    sender.sendCommand = (command, to) => {
      sent++
      return send(command, to)
    }
    const before = sent
    for (let i = 0; i < 40; i++) member(0).runtime.explain('coder')
    expect(sent - before).toBe(0)
    const startedAt = performance.now()
    for (let i = 0; i < 100; i++) await call(0)
    const ticks = Math.ceil((performance.now() - startedAt) / 100) + 1
    // Per tick: the read of mitigations and of breakers, two tallies, one report for the route.
    expect(sent).toBeLessThanOrEqual(ticks * 6)
    expect(sent).toBeLessThan(100)
  }, 60_000)
})
