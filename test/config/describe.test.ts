import { expect, test } from 'vitest'
import { describeConfig, describeConfigText, secretValues } from '../../src/config/describe.ts'
import { parseConfig } from '../../src/config/load.ts'

const config = parseConfig(
  {
    redis: { url: 'rediss://app:hunter%2022@redis.example:6380/1?family=6' },
    providers: {
      openrouter: {
        protocol: 'openai-chat',
        baseUrl: 'https://openrouter.ai/api/v1',
        credentials: [{ id: 'main', apiKey: 'sk-real' }],
      },
    },
    models: { coder: { routes: ['openrouter/z-ai/glm-4.6'] } },
  },
  { env: {}, baseDir: '/srv' },
)

test('a description has the names of everything and no secret', () => {
  const description = describeConfig(config)
  expect(description).toMatchObject({
    redis: { url: 'rediss://***@redis.example:6380/1' },
    providers: [{ name: 'openrouter', credentials: ['main'] }],
    models: [{ alias: 'coder', strategy: 'first_healthy', routes: ['openrouter/z-ai/glm-4.6'] }],
  })
  const shown = JSON.stringify(description) + describeConfigText(description)
  expect(shown).toContain('coder')
  expect(shown).not.toMatch(/hunter|sk-real/)
})

test('the secrets of a configuration are known to redaction in every spelling that it has', () => {
  expect(secretValues(config)).toEqual(['sk-real', 'hunter%2022', 'hunter 22'])
})

test('a password with a bare percent sign is a secret like any other', () => {
  const odd = parseConfig({ redis: { url: 'redis://:hunter%zz@h' } }, { env: {}, baseDir: '/srv' })
  expect(secretValues(odd)).toEqual(['hunter%zz'])
})
