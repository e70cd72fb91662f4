/** What happens to the stack while it is exercised: turns of every kind at a steady pace, and one fault after another. */

import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Stack } from '../stack/stack.ts'

/** Of the stack, so that faults and alerts show within seconds. */
export const EXERCISE_OPTIONS = {
  env: { UPSTREAM_IDLE: '2s' },
  canaryEvery: '10s',
  // An alert that fires before Prometheus has found Alertmanager is lost, and by default sent again after a minute.
  prometheusFlags: ['--rules.alert.resend-delay=5s'],
} as const

type Fault = {
  readonly model: string
  readonly fault: string
  readonly times?: number
  readonly forMs?: number
  readonly share?: number
}

/** When, as a share of the whole, and what. */
const EVENTS: readonly (readonly [at: number, name: string, happen: (stack: Stack) => Promise<void>])[] = [
  [0.1, 'the first route answers with HTML', misbehave({ model: 'glm-4.6', fault: 'html', times: 8 })],
  // Far more than open its breaker: a probe or a cancelled turn may take some, and the route stays out of use to the end.
  [0.25, 'the second route stalls', misbehave({ model: 'gpt-5-mini', fault: 'stall:40', times: 30 })],
  [0.35, 'the third route is limited, then fails now and then', limitedThenFailing],
  [0.5, 'a worker is killed', (stack) => stack.replaceWorker(0)],
  [0.55, 'a person keeps the third route out for a while', openThirdRoute],
  [0.7, 'the upstream behaves again', behave],
]

const CLI = resolve('bin/turnkeeper.cjs')
const TURNS_A_SECOND = 4

/** One after another; the words are directives to the simulated upstream. */
const INPUTS: readonly { readonly agent: string; readonly input: string }[] = [
  { agent: 'assistant', input: 'call look_up with {"word": "observability", "ms": 100}' },
  { agent: 'reviewer', input: 'say "reviewed"' },
  { agent: 'assistant', input: 'call divide with {"dividend": 1, "divisor": 0}' },
  { agent: 'assistant', input: 'say "hello"' },
  { agent: 'reviewer', input: 'say "reviewed, and found to be in order as far as anybody can tell"' },
  { agent: 'assistant', input: 'call divide with {"dividend": 6, "divisor": 3}' },
]
/** More steps than the agent may take: it fails. */
const TOO_MANY_STEPS = Array.from(
  { length: 9 },
  (_, n) => `call look_up with {"word": "w${n}", "ms": 1}`,
).join('\nthen ')
/** With a parameter that the wire format of its routes has no word for: it is refused before anything is sent. */
const UNSAYABLE = { agent: 'assistant', input: 'say "hello"', parameters: { topK: 5 } }
const EVERY_FAILING = 40
const EVERY_UNSAYABLE = 60
const EVERY_CANCELLED = 33

export type Course = { readonly accepted: number; readonly refused: number }

/** Runs the exercise for `seconds`; `say` hears what happens. Resolves when the time is over. */
export async function exercise(
  stack: Stack,
  { seconds, say }: { readonly seconds: number; readonly say: (line: string) => void },
): Promise<Course> {
  const started = performance.now()
  const elapsed = (): number => (performance.now() - started) / 1000
  const events = faults(stack, { seconds, elapsed, say })
  let accepted = 0
  let refused = 0
  for (let n = 0; elapsed() < seconds; n += 1) {
    const id = await enqueue(stack, n)
    if (id === undefined) refused += 1
    else accepted += 1
    if (id !== undefined && n % EVERY_CANCELLED === 0) await cancel(stack, id)
    await sleep(Math.max(0, ((n + 1) / TURNS_A_SECOND - elapsed()) * 1000))
  }
  await events
  return { accepted, refused }
}

type Timing = {
  readonly seconds: number
  readonly elapsed: () => number
  readonly say: (line: string) => void
}

async function faults(stack: Stack, { seconds, elapsed, say }: Timing): Promise<void> {
  for (const [at, name, happen] of EVENTS) {
    await sleep(Math.max(0, (at * seconds - elapsed()) * 1000))
    say(`${elapsed().toFixed(0)} s: ${name}`)
    await happen(stack)
  }
}

/** The id of the turn, or nothing when it was refused. */
async function enqueue(stack: Stack, n: number): Promise<string | undefined> {
  const response = await ask(stack, '/v1/turns', bodyOf(n))
  if (!response.ok) return undefined
  return ((await response.json()) as { id: string }).id
}

function bodyOf(n: number): object {
  if (n % EVERY_FAILING === 5) return { agent: 'assistant', input: TOO_MANY_STEPS }
  if (n % EVERY_UNSAYABLE === 11) return UNSAYABLE
  return INPUTS[n % INPUTS.length] ?? {}
}

async function cancel(stack: Stack, id: string): Promise<void> {
  await ask(stack, `/v1/turns/${encodeURIComponent(id)}/cancel`, { reason: 'exercise' })
}

function misbehave(fault: Fault): (stack: Stack) => Promise<void> {
  return async ({ simUrl }) => void (await post(`${simUrl}/_control`, fault))
}

async function limitedThenFailing(stack: Stack): Promise<void> {
  await misbehave({ model: 'deepseek-v3.2', fault: '500', share: 0.2 })(stack)
  await misbehave({ model: 'deepseek-v3.2', fault: '429:1', times: 3 })(stack)
}

/** What opens by itself hangs on how many calls meet a fault at once; this opens in any case. */
async function openThirdRoute({ configFile, env }: Stack): Promise<void> {
  const args = ['breaker', 'open', 'backup/deepseek-v3.2', '--for', '20s', '--config', configFile]
  await promisify(execFile)(process.execPath, [CLI, ...args], { env: { ...process.env, ...env } })
}

async function behave({ simUrl }: Stack): Promise<void> {
  await fetch(`${simUrl}/_control`, { method: 'DELETE' })
}

function ask({ gatewayUrl, gatewayKey }: Stack, path: string, body: object): Promise<Response> {
  return post(`${gatewayUrl}${path}`, body, { authorization: `Bearer ${gatewayKey}` })
}

function post(url: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}
