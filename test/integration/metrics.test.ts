import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isOnPath } from '../programs.ts'
import { type Fleet, openFleet } from './fleet.ts'

const routes = ['sim/good', 'sim/other']
let fleet: Fleet
let metricsUrl: string
let page: string

beforeAll(async () => {
  fleet = await openFleet({ models: { coder: { routes } } })
  metricsUrl = (await fleet.worker()).metricsUrl
  page = await (await fetch(metricsUrl)).text()
})
afterAll(() => fleet.close())

test.skipIf(!isOnPath('promtool'))('promtool finds nothing wrong with the page of a fresh worker', () => {
  const checked = spawnSync('promtool', ['check', 'metrics'], { input: page, encoding: 'utf8' })
  expect(`${checked.stdout}${checked.stderr}`).toBe('')
  expect(checked.status).toBe(0)
})

test.each(routes)(
  'before any traffic the page shows everything of route %s at zero, and its breaker closed',
  (route) => {
    const value = (metric: string, ...labels: string[]): string | undefined =>
      page
        .split('\n')
        .find((line) => line.startsWith(`${metric}{`) && labels.every((label) => line.includes(label)))
        ?.split(' ')
        .at(-1)
    const own = `route="${route}"`
    expect(value('provider_attempts_total', own, 'outcome="ok"')).toBe('0')
    expect(value('provider_attempts_total', own, 'outcome="html"')).toBe('0')
    expect(value('provider_html_payload_total', own)).toBe('0')
    expect(value('provider_stall_count_total', own)).toBe('0')
    expect(value('provider_request_id_missing_total', own)).toBe('0')
    expect(value('provider_stream_idle_max_seconds', own)).toBe('0')
    const asked = [own, 'gen_ai_request_model="coder"']
    expect(value('gen_ai_client_inference_usage_input_tokens_total', ...asked)).toBe('0')
    expect(value('gen_ai_client_inference_usage_output_tokens_total', ...asked)).toBe('0')
    expect(value('route_health_state', own, 'state="closed"')).toBe('1')
    expect(value('route_health_state', own, 'state="open"')).toBe('0')
  },
)

test('before any traffic the page shows every agent with no turn', () => {
  for (const agent of ['assistant', 'talker']) {
    for (const outcome of ['ok', 'failed', 'cancelled']) {
      expect(page).toMatch(new RegExp(`^turns_total\\{.*agent="${agent}".*outcome="${outcome}".*\\} 0$`, 'm'))
    }
  }
})

test('the worker that counts shows the open turns by state and the dead letters', async () => {
  for (const state of ['queued', 'running', 'waiting_approval', 'needs_review']) {
    expect(page).toMatch(new RegExp(`^turns_open\\{.*state="${state}".*\\} 0$`, 'm'))
  }
  expect(page).toMatch(/^turns_dead_letter(\{.*\})? 0$/m)
  expect(page).toMatch(/^worker_deaf(\{.*\})? 0$/m)
  expect(page).toMatch(/^worker_jobs_stalled_total\{.*"turns".*\} 0$/m)
})

test('after a turn the page has counted it, its attempts and its tools', async () => {
  const turn = await fleet.client.enqueue('assistant', { input: 'call look_up with {"word": "x", "ms": 1}' })
  expect((await turn.result()).status).toBe('completed')
  // The worker counts a turn once it is written, which is when the caller has it.
  const read = async () => (await fetch(metricsUrl)).text()
  await expect.poll(read).toMatch(/^turns_total\{.*agent="assistant".*outcome="ok".*\} 1$/m)
  const after = await read()
  expect(after).toMatch(/^provider_attempts_total\{.*route="sim\/good".*outcome="ok".*\} 2$/m)
  expect(after).toMatch(/^gen_ai_client_inference_duration_seconds_count\{.*\} 2$/m)
  expect(after).toMatch(/^gen_ai_execute_tool_duration_seconds_count\{.*gen_ai_tool_name="look_up".*\} 1$/m)
  expect(after).toMatch(/^turn_duration_seconds_count\{.*\} 1$/m)
  expect(after).toMatch(/^queue_wait_seconds_count\{.*\} 1$/m)
  const tokens =
    /^gen_ai_client_inference_usage_(in|out)put_tokens_total\{.*route="sim\/good".*\} [1-9]\d*$/gm
  expect(after.match(tokens)).toHaveLength(2)
  expect(after).toMatch(/^gen_ai_invoke_agent_duration_seconds_count\{.*"assistant".*outcome="ok".*\} 1$/m)
  expect(after).toMatch(/^gen_ai_invoke_agent_inference_calls_sum\{.*"assistant".*\} 2$/m)
  expect(after).toMatch(/^gen_ai_invoke_agent_tool_calls_sum\{.*"assistant".*\} 1$/m)
  await expect.poll(read).toMatch(/^messaging_process_duration_seconds_count\{.*"turns".*\} 1$/m)
  for (const stage of ['claim', 'begin', 'commit', 'finish']) {
    expect(after).toMatch(new RegExp(`^runtime_overhead_seconds_count\\{.*stage="${stage}".*\\} [1-9]`, 'm'))
  }
})

test('while an upstream is silent within an answer the page says for how long', async () => {
  const fault = { model: 'good', fault: 'stall:1', times: 1 }
  await fetch(`${fleet.sim.url}/_control`, { method: 'POST', body: JSON.stringify(fault) })
  const turn = await fleet.client.enqueue('talker', { input: 'hello' })
  const silentSeconds = async () => {
    const page = await (await fetch(metricsUrl)).text()
    return Number(/^provider_stream_idle_max_seconds\{.*sim\/good.*\} (\S+)$/m.exec(page)?.[1])
  }
  await expect.poll(silentSeconds, { timeout: 10_000 }).toBeGreaterThan(0.5)
  await turn.cancel('that is enough')
  await expect.poll(silentSeconds, { timeout: 10_000 }).toBe(0)
  const page = await (await fetch(metricsUrl)).text()
  expect(page).toMatch(/^provider_stream_idle_seconds_count\{.*sim\/good.*\} 1$/m)
})
