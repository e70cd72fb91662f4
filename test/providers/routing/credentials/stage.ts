import type { CredentialConfig } from '../../../../src/config/config.ts'
import { Secret } from '../../../../src/config/secret.ts'
import type { Refusal } from '../../../../src/providers/routing/breaker/health.ts'
import { subjectToName } from '../../../../src/providers/routing/breaker/subjects.ts'
import {
  type CredentialHealth,
  type Credentials,
  createCredentials,
} from '../../../../src/providers/routing/credentials/credentials.ts'
import type { TokenSource } from '../../../../src/providers/routing/credentials/oauth.ts'
import { type FakeHealth, fakeHealth } from '../scripted.ts'

export type CredentialStage = {
  readonly credentials: Credentials
  readonly health: FakeHealth & CredentialHealth
  /** `p#id ms` of every rest. */
  readonly rests: string[]
  readonly refusals: Refusal[]
  /** Moves the clock. */
  pass(ms: number): void
}

export const keyed = (id: string, weight = 1): CredentialConfig => ({
  id,
  weight,
  apiKey: new Secret(`key-${id}`),
})

export const withTokens = (id: string): CredentialConfig => ({
  id,
  weight: 1,
  oauth: { tokenFile: '/nowhere', tokenUrl: 'http://login/token', clientId: 'c' },
})

/** Credentials of the provider `p` on a clock and a die of the test's own. */
export function stageCredentials(
  list: readonly CredentialConfig[],
  { random = () => 0, tokens }: { random?: () => number; tokens?: TokenSource } = {},
): CredentialStage {
  let now = 0
  const rests: string[] = []
  const refusals: Refusal[] = []
  const cooling = new Map<string, number>()
  const fake = fakeHealth()
  const health = {
    ...fake,
    view: (subject: string) => {
      const left = (cooling.get(subject) ?? 0) - now
      return { ...fake.view(subjectToName(subject)), coolingForMs: left > 0 ? left : undefined }
    },
    cool(subject: string, forMs: number) {
      rests.push(`${subjectToName(subject)} ${forMs}`)
      cooling.set(subject, now + forMs)
    },
    refused: (refusal: Refusal) => void refusals.push(refusal),
  }
  const credentials = createCredentials({
    providers: { p: { name: 'p', enabled: true, credentials: list } } as never, // it reads nothing else of a provider
    cooldown: { defaultMs: 60_000, maxMs: 900_000 },
    health,
    tokensOf: () => tokens ?? { token: async () => '', renew: async () => '' },
    now: () => now,
    random,
  })
  return {
    credentials,
    health,
    rests,
    refusals,
    pass(ms) {
      now += ms
    },
  }
}
