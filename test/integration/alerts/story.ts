/** The stack of `deploy/` with quicker clocks, and what happens to it. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { parse, stringify } from 'yaml'
import type { Programs } from '../../../scripts/stack/programs.ts'
import type { Receiver } from '../../../scripts/stack/receiver.ts'
import { type Stack, startStack } from '../../../scripts/stack/stack.ts'
import { writeQuickerCopy } from './quicker.ts'

/** The first route of `coder`: the one that fails in every way. */
export const ROUTE = 'aggregator/glm-4.6'
/** Serves `coder` meanwhile; fails only when everything does. */
export const OTHER_ROUTE = 'vendor/gpt-5-mini'
/** The first route of `steady`, whose mitigation waits for a ratio that there cannot be. */
export const STEADY_ROUTE = 'vendor/steady-1'
/** Where its fallback begins. */
export const FALLBACK_ROUTE = OTHER_ROUTE

type Options = { readonly programs: Programs; readonly receiver: Receiver; readonly folder: string }

/** Starts it with breakers that open for seconds; agents and providers are those of `deploy/`. */
export function startQuickStack({ programs, receiver, folder }: Options): Promise<Stack> {
  const monitoring = join(folder, 'deploy')
  mkdirSync(monitoring)
  writeQuickerCopy(monitoring)
  const shipped = parse(readFileSync('deploy/turnkeeper/turnkeeper.config.yaml', 'utf8')) as Config
  const configFile = join(folder, 'turnkeeper.config.yaml')
  // In configured order whatever health says: how much a route is asked does not hang on what failed before.
  const strategy = 'first_available'
  writeFileSync(
    configFile,
    stringify({
      ...shipped,
      agents: resolve('deploy/turnkeeper/agents.ts'),
      models: {
        ...shipped.models,
        coder: { strategy, routes: [ROUTE, OTHER_ROUTE] },
        steady: {
          strategy,
          routes: [STEADY_ROUTE, OTHER_ROUTE],
          mitigation: { fallback: 'reviewer', warn: 1, critical: 1 },
        },
      },
      breakers: {
        html: { open: '2s', max: '2s' },
        stall: { open: '2s', max: '2s' },
        errors: { min: 10, window: '5s', open: '2s', max: '2s' },
      },
    }),
  )
  return startStack({
    programs,
    receiver,
    monitoring,
    configFile,
    folder: join(folder, 'stack'),
    env: { UPSTREAM_IDLE: '1s' },
    // How much a route is asked is told by the test alone.
    canaryEvery: '10h',
    prometheusFlags: ['--rules.alert.resend-delay=1s'],
  })
}

type Config = { readonly models: Readonly<Record<string, unknown>> }

/** Enqueues turns at a steady pace until it is stopped. */
export function pour(stack: Stack, { model, everyMs }: { model: string; everyMs: number }) {
  const stopping = new AbortController()
  const flowing = (async () => {
    while (!stopping.signal.aborted) {
      await enqueue(stack, model)
      await sleep(everyMs)
    }
  })()
  return {
    async stop(): Promise<void> {
      stopping.abort()
      await flowing
    },
  }
}

/** Runs one turn to its end and tells which route served each of its steps. */
export async function routesOfTurn(stack: Stack, model: string): Promise<readonly string[]> {
  const { id = '' } = (await (await enqueue(stack, model)).json()) as { id?: string }
  const read = async (): Promise<Details> =>
    (await (await ask(stack, `/v1/turns/${encodeURIComponent(id)}`)).json()) as Details
  await expect.poll(async () => (await read()).state, { timeout: 20_000 }).toBe('completed')
  return (await read()).result?.routes ?? []
}

type Details = { readonly state: string; readonly result?: { readonly routes: readonly string[] } }

/** How an alias stands. */
export async function mitigationOf(stack: Stack, alias: string): Promise<Mitigation> {
  const response = await ask(stack, `/v1/routes?explain=${alias}`)
  return ((await response.json()) as { mitigation: Mitigation }).mitigation
}

type Mitigation = { readonly state: string; readonly reason: string }

/** Its answers are streamed, so that they can stall. */
function enqueue(stack: Stack, model: string): Promise<Response> {
  return ask(stack, '/v1/turns', {
    agent: 'reviewer',
    input: 'say "reviewed, and found to be in order"',
    model,
  })
}

function ask({ gatewayUrl, gatewayKey }: Stack, path: string, body?: object): Promise<Response> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${gatewayKey}` }
  const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
  return fetch(`${gatewayUrl}${path}`, { headers, ...sent })
}

type Fault = {
  readonly model: string
  readonly fault: string
  readonly times?: number
  readonly share?: number
}

export async function misbehave({ simUrl }: Stack, fault: Fault): Promise<void> {
  await fetch(`${simUrl}/_control`, { method: 'POST', body: JSON.stringify(fault) })
}

export async function behave({ simUrl }: Stack): Promise<void> {
  await fetch(`${simUrl}/_control`, { method: 'DELETE' })
}
