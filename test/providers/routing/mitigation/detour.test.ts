import { describe, expect, test } from 'vitest'
import type { AliasConfig } from '../../../../src/config/config.ts'
import { loadConfig } from '../../../../src/config/load.ts'
import {
  CAPABILITY_NAMES,
  type RouteCapabilities,
} from '../../../../src/providers/capabilities/capability.ts'
import { createAttemptEngine } from '../../../../src/providers/routing/attempt-engine.ts'
import { createDetours } from '../../../../src/providers/routing/mitigation/detour.ts'
import { type MitigationRecord, UNTOUCHED } from '../../../../src/providers/routing/mitigation/machine.ts'
import { segmentSubject } from '../../../../src/providers/routing/mitigation/subject.ts'
import { createRouteTable } from '../../../../src/providers/routing/route-table.ts'
import { createRouter } from '../../../../src/providers/routing/router.ts'
import { noTelemetry } from '../../../../src/telemetry/none.ts'
import { fakeHealth, ROUTING, scriptedUpstream } from '../scripted.ts'

const MOVED: MitigationRecord = { state: 'moved', since: 1, reason: 'errors', until: 900_000 }
const returning = (step: number): MitigationRecord => ({
  state: 'returning',
  since: 1,
  reason: 'share_borne',
  step,
})

/** Aliases coder → safe → last, with records as a test sets them. */
async function stage(records: Readonly<Record<string, MitigationRecord>>, random = () => 0.5) {
  const config = await loadConfig({
    providers: { p: { protocol: 'openai-chat', baseUrl: 'http://127.0.0.1:1/v1' } },
    models: {
      coder: { routes: ['p/a', 'p/b'], mitigation: { fallback: 'safe' } },
      safe: { routes: ['p/s', 'p/t'], mitigation: { fallback: 'last' } },
      last: { routes: ['p/l'] },
    },
  })
  const table = createRouteTable(config)
  const health = fakeHealth()
  const router = createRouter({ table, health })
  const counted: string[] = []
  const watch = {
    recordOf: (subject: string) => records[subject] ?? UNTOUCHED,
    standings: () => [],
    count: (alias: string, segment?: string, failure?: string) =>
      void counted.push([alias, segment ?? '-', failure ?? 'ok'].join(' ')),
    history: async () => [],
    close: async () => {},
  }
  const detours = createDetours({ watch, table, router, random })
  const modelOf = (model: string, segment?: string) =>
    detours.detour(model, segment === undefined ? {} : { segment })?.model
  return { detours, modelOf, health, table, router, counted }
}

describe('the way of a call', () => {
  test('leads to its own alias, to the fallback, or to the fallback of the fallback', async () => {
    expect((await stage({})).modelOf('coder')).toBeUndefined()
    const { modelOf } = await stage({ coder: MOVED })
    expect(modelOf('coder')).toBe('safe')
    expect(modelOf('safe')).toBeUndefined()
    const both = await stage({ coder: MOVED, safe: MOVED })
    expect(both.modelOf('coder')).toBe('last')
    expect(both.detours.detour('coder', {})?.decision).toEqual({
      type: 'mitigate',
      from: 'p/a',
      to: 'p/l',
      reason: 'errors',
    })
    expect(both.modelOf('safe')).toBe('last')
    expect(both.modelOf('last')).toBeUndefined()
    expect(both.modelOf('p/a')).toBeUndefined()
  })

  test('of one segment is that of the worse: the alias, or itself', async () => {
    const one = await stage({ [segmentSubject('coder', 'key-a')]: MOVED })
    expect([one.modelOf('coder', 'key-a'), one.modelOf('coder', 'key-b'), one.modelOf('coder')]).toEqual([
      'safe',
      undefined,
      undefined,
    ])
    const whole = await stage({ coder: MOVED, [segmentSubject('coder', 'key-a')]: returning(3) })
    expect(whole.modelOf('coder', 'key-a')).toBe('safe')
  })

  test.each([
    [0, 0.1],
    [1, 0.3],
    [2, 0.6],
    [3, 1],
  ])('at step %i of the return, a share of %f goes to its own routes', async (step, share) => {
    let seed = 11
    const random = (): number => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed / 2_147_483_647
    }
    const { modelOf } = await stage({ coder: returning(step) }, random)
    let own = 0
    for (let i = 0; i < 4000; i++) own += modelOf('coder') === undefined ? 1 : 0
    expect(own / 4000).toBeCloseTo(share, 1)
  })

  test('stays where it is while the fallback has no usable route', async () => {
    const { modelOf, health, detours } = await stage({ coder: MOVED })
    health.set('p/s', 'open', 1000)
    expect(modelOf('coder')).toBe('safe')
    health.set('p/t', 'open', 1000)
    expect(modelOf('coder')).toBeUndefined()
    const explained = detours.explain('coder')
    expect(explained).toMatchObject({ mitigation: { state: 'moved', share: 0 } })
    expect(explained?.candidates[0]).toMatchObject({ route: 'p/a', chosen: true })
  })

  test('is explained with the own routes behind it, which it does not come to', async () => {
    const { detours } = await stage({ coder: MOVED })
    const { candidates = [] } = detours.explain('coder') ?? {}
    expect(candidates.map(({ route, place }) => [route, place])).toEqual([
      ['p/s', 1],
      ['p/t', 2],
      ['p/a', null],
      ['p/b', null],
    ])
  })

  test('is explained in words, in every state', async () => {
    const words = async (records: Readonly<Record<string, MitigationRecord>>) =>
      (await stage(records)).detours.explain('coder')?.mitigation?.reason
    expect(await words({})).toBe('on its own routes')
    expect(await words({ coder: { state: 'warned', since: 1, reason: 'no_fallback' } })).toBe(
      'on its own routes, which have errors (no fallback)',
    )
    expect(await words({ coder: { ...MOVED, reason: 'requested', note: 'MyAlert' } })).toBe(
      'moved to safe (requested: MyAlert) until 1970-01-01T00:15:00.000Z',
    )
    expect(await words({ coder: returning(1) })).toBe(
      'returning from safe: 30 % of the calls go to its own routes',
    )
    expect((await stage({})).detours.explain('last')).not.toHaveProperty('mitigation')
    expect((await stage({})).detours.explain('nobody')).toBeUndefined()
  })

  test('attempts count for the first route of the alias alone', async () => {
    const { detours, counted } = await stage({})
    const attempted = (model: string, route: string, segment?: string) =>
      detours.attempted(model, { route, error: undefined, ...(segment !== undefined && { segment }) })
    attempted('coder', 'p/a')
    attempted('coder', 'p/b')
    attempted('safe', 'p/s', 'key')
    attempted('last', 'p/l')
    attempted('p/a', 'p/a')
    expect(counted).toEqual(['coder - ok', 'safe key ok'])
  })
})

describe('a call that has moved', () => {
  const run = async (can: (route: string) => boolean) => {
    const { detours, health, table, router, counted } = await stage({ coder: MOVED })
    const unsaid = Object.fromEntries(CAPABILITY_NAMES.map((name) => [name, { can: null }]))
    const engine = createAttemptEngine({
      ...{ router, table, health, mitigation: detours, config: ROUTING, telemetry: noTelemetry },
      upstreamOf: (route) => scriptedUpstream(route, [{ says: ['hi'] }]),
      knowledge: {
        capabilitiesOf: ({ name }) =>
          ({
            ...unsaid,
            tools: { can: can(name) },
            contextWindow: null,
            maxOutputTokens: null,
          }) as RouteCapabilities, // made of the list of their names
      },
    })
    const tools = [{ name: 'look', description: '', inputSchema: {} }]
    const outcome = await engine.run({ model: 'coder', messages: [], tools }, () => {})
    return { outcome, counted }
  }

  test('goes to the fallback, which says so first among its decisions', async () => {
    const { outcome, counted } = await run(() => true)
    expect(outcome).toMatchObject({ outcome: 'ok', route: 'p/s', decisions: [{ type: 'mitigate' }] })
    expect(counted).toEqual(['safe - ok'])
  })

  test('stays with its own routes where the fallback cannot serve the request at all', async () => {
    const { outcome } = await run((route) => route === 'p/a')
    expect(outcome).toMatchObject({ outcome: 'ok', route: 'p/a' })
    expect(outcome.decisions.map(({ type }) => type)).not.toContain('mitigate')
  })
})

test('an alias without a fallback has no mitigation', async () => {
  const { table } = await stage({})
  const last: AliasConfig | undefined = table.find('last')
  expect(last?.mitigation).toBeUndefined()
})
