import { expect, test } from 'vitest'
import { capabilitiesOf } from '../../../src/providers/capabilities/registry.ts'
import type { ModelInfo } from '../../../src/providers/models/model-info.ts'
import type { RouteStatus } from '../../../src/providers/runtime.ts'
import { chooseRuns } from '../../../src/runtime/canary/choice.ts'
import { SCENARIOS } from '../../../src/runtime/canary/scenarios.ts'

const MODELS: Readonly<Record<string, Omit<ModelInfo, 'id'>>> = {
  'p/sees': { vision: true, tools: true },
  'p/blind': { vision: false, tools: true },
  'p/mute': { vision: false, tools: false },
  'p/new': {},
}
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  both: ['p/blind', 'p/sees'],
  blind: ['p/blind'],
  mute: ['p/mute'],
  new: ['p/new'],
}

const models: Parameters<typeof chooseRuns>[0] = {
  routes: () =>
    Object.keys(MODELS).map(
      (name) =>
        ({
          name,
          aliases: Object.keys(ALIASES).filter((alias) => ALIASES[alias]?.includes(name)),
        }) as unknown as RouteStatus, // nothing else of it is read
    ),
  capabilities: (name) =>
    MODELS[name] &&
    capabilitiesOf({ protocol: 'openai-chat', dialect: 'generic', model: { id: name, ...MODELS[name] } }),
}

const choose = (scenario: keyof typeof SCENARIOS, ...only: string[]) => {
  const { runs, passedOver } = chooseRuns(models, [SCENARIOS[scenario]], only)
  return { runs: runs.map(({ model }) => model), passedOver }
}

test('text runs on every alias', () => {
  expect(choose('text')).toEqual({ runs: ['both', 'blind', 'mute', 'new'], passedOver: [] })
})

test('an alias is chosen where one of its routes is known to be able, and the others are told with the reason', () => {
  const { runs, passedOver } = choose('tool-image')
  expect(runs).toEqual(['both'])
  expect(passedOver.map(({ model, why }) => `${model}: ${why}`)).toEqual([
    'blind: no route of it has vision',
    'mute: no route of it has tools',
    'new: nobody has said that a route of it has tools; name it with --model to try',
  ])
})

test('what is named is tried unless it is known not to be able', () => {
  expect(choose('tool-image', 'new', 'p/new').runs).toEqual(['new', 'p/new'])
  expect(choose('tool-image', 'blind', 'p/sees')).toMatchObject({
    runs: ['p/sees'],
    passedOver: [{ model: 'blind', why: 'no route of it has vision' }],
  })
})

test('a name that leads nowhere is passed over', () => {
  expect(choose('text', 'gone').passedOver).toMatchObject([{ model: 'gone', why: 'it leads to no route' }])
})
