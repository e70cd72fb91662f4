import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TurnkeeperError } from '../../src/errors.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { type HandWorker, openHandWorker } from '../gateway/hand-worker.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { folderWith, type RunningCli, runCli, startCli } from './run-cli.ts'

let server: RedisServer
let worker: HandWorker
let env: Record<string, string>
const folder = folderWith({ 'turnkeeper.config.yaml': 'redis: { durability: none }\n' })
const cwd = folder.path

beforeAll(async () => {
  server = await startAnyRedis()
  worker = await openHandWorker(server.url, 'turnkeeper')
  env = { REDIS_URL: server.url }
})
afterAll(async () => {
  await worker.close()
  await server.close()
  folder[Symbol.dispose]()
})

const run = (...args: string[]) => runCli(args, { cwd, env })
const watch = (...args: string[]): RunningCli =>
  startCli(['enqueue', 'echo', '--input', 'hello', '--watch', ...args], { cwd, env })
/** The id that a watching command tells first. */
const watchedId = async (cli: RunningCli): Promise<string> => {
  await expect.poll(() => cli.err()).toMatch(/t-\S+\n/)
  return /t-\S+/.exec(cli.err())?.[0] ?? ''
}

test('enqueue prints the id on standard output and how to look at the turn on standard error', async () => {
  const { status, out, err } = await run('enqueue', 'echo', '--input', 'hello', '--session', 'chat-1')
  expect(status).toBe(0)
  expect(out).toMatch(/^t-[0-9a-f]+~chat-1\n$/)
  expect(err).toContain(`turnkeeper turns show ${out.trim()}`)
  expect(err + out).not.toContain('\u001b') // no colours off a terminal
})

test('enqueue keeps what the flags say, and the same key gives the same turn', async () => {
  const flags = [
    '--idempotency-key',
    'k1',
    '--priority',
    '3',
    '--model',
    'fast',
    '--timeout',
    '10m',
    '--json',
  ]
  const first = (await run('enqueue', 'echo', '--input', 'hello', ...flags)).json()
  const again = (await run('enqueue', 'echo', '--input', 'hello', ...flags)).json()
  expect(again).toEqual(first)
  const record = await worker.journal.read(String(first.id))
  expect(record).toMatchObject({ idempotencyKey: 'k1', options: { priority: 3, model: 'fast' } })
  expect((record?.deadlineAt ?? 0) - (record?.acceptedAt ?? 0)).toBe(600_000)
  const other = await run('enqueue', 'echo', '--input', 'bye', ...flags)
  expect(other.status).toBe(1)
  expect(other.json()).toMatchObject({ error: { code: 'queue/idempotency_conflict' } })
})

test('the input may come from standard input', async () => {
  const { json } = await runCli(['enqueue', 'echo', '--input', '-', '--json'], {
    cwd,
    env,
    input: 'from a pipe',
  })
  expect((await worker.journal.read(String(json().id)))?.input).toBe('from a pipe')
})

test('a watched turn streams its answer to standard output and everything else to standard error', async () => {
  const cli = watch()
  const turn = await worker.take(await watchedId(cli))
  await turn.emit({ type: 'step.started', stepId: 'm1', kind: 'model', name: 'coder' })
  await turn.say('It is ')
  await expect.poll(() => cli.out()).toBe('It is ')
  await turn.emit({
    type: 'tool.call',
    stepId: 'm1.1',
    callId: 'c1',
    name: 'weather',
    input: { city: 'Oslo' },
  })
  await turn.emit({ type: 'step.restarted', stepId: 'm1', reason: 'stall' })
  await turn.say('sunny.\u001b[2J')
  await turn.complete('sunny.')
  const { status, out, err } = await cli.ended
  expect(status).toBe(0)
  expect(out).toBe('It is \nsunny.[2J\n')
  expect(err).toMatch(/calls weather \{"city":"Oslo"\}/)
  expect(err).toMatch(/m1 starts again \(stall\): discard/)
  expect(err).toMatch(/completed after 0 steps/)
})

test('with --json a watched turn gives its events as lines and its result as the last one', async () => {
  const cli = watch('--json')
  const turn = await worker.take(await watchedId(cli))
  await turn.say('hi')
  await turn.complete('hi')
  const { status, out, json } = await cli.ended
  expect(status).toBe(0)
  expect(json()).toMatchObject({ status: 'completed', text: 'hi' })
  const types = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).type)
  expect(types).toEqual(['turn.queued', 'turn.started', 'text.delta', 'turn.completed', undefined])
})

test('a watched turn that fails ends with status 1 and its error', async () => {
  const cli = watch()
  const turn = await worker.take(await watchedId(cli))
  await turn.fail(new TurnkeeperError('max_steps', 'needed more than 20 model calls').toJSON())
  const { status, err } = await cli.ended
  expect(status).toBe(1)
  expect(err).toMatch(/failed: turn\/max_steps: needed more than 20 model calls/)
})

test('Ctrl-C stops the watching, not the turn, and says how to look at it', async () => {
  const cli = watch()
  const id = await watchedId(cli)
  await worker.take(id)
  await expect.poll(() => cli.err()).toMatch(/started by hand/)
  cli.signal('SIGINT')
  const { status, err } = await cli.ended
  expect(status).toBe(130)
  expect(err).toContain(`the turn goes on. Look at it with: turnkeeper turns show ${id}`)
  expect((await worker.journal.read(id))?.state).toBe('running')
})

test('a reader that closes the pipe is no error', async () => {
  const cli = watch()
  const turn = await worker.take(await watchedId(cli))
  cli.closeOut()
  await turn.say('a\n', 'b\n')
  await sleep(50)
  await turn.say('c\n')
  const { status, err } = await cli.ended
  expect(status).toBe(0)
  expect(err).not.toMatch(/EPIPE|error/)
})

test('turns show tells state, steps, attempts, usage and answer; with --json it is the record', async () => {
  const { id } = (await run('enqueue', 'echo', '--input', 'hello', '--json')).json() as { id: string }
  const turn = await worker.take(id)
  await turn.complete('the answer', {
    steps: [
      {
        id: 'm1',
        kind: 'model',
        name: 'coder',
        durationMs: 1_500,
        route: 'b/m',
        attempts: [
          { route: 'a/m', outcome: 'failed', code: 'server/html_payload', durationMs: 300 },
          { route: 'b/m', outcome: 'ok', durationMs: 1_200 },
        ],
      },
      { id: 'm1.1', kind: 'tool', name: 'weather', durationMs: 20, error: 'tool/tool_failed' },
    ],
  })
  const { status, out } = await run('turns', 'show', id)
  expect(status).toBe(0)
  expect(out).toMatch(/^state +completed$/m)
  expect(out).toMatch(/^worker +hand$/m)
  expect(out).toMatch(/^usage +10 tokens in, 5 out$/m)
  expect(out).toMatch(/^m1 +model +coder +1\.5 s +via b\/m$/m)
  expect(out).toMatch(/^ +attempt +a\/m +300 ms +server\/html_payload$/m)
  expect(out).toMatch(/^m1\.1 +tool +weather +20 ms +tool\/tool_failed$/m)
  expect(out).toMatch(/\nthe answer\n$/)
  const shown = await run('turns', 'show', id, '--json')
  expect(shown.json()).toMatchObject({ id, state: 'completed', result: { text: 'the answer' } })
})

test('a turn that is not kept is a failure that says so', async () => {
  const { status, json, err } = await run('turns', 'show', 't-0000000000000000~s', '--json')
  expect(status).toBe(1)
  expect(json()).toMatchObject({ error: { code: 'turn/unknown_turn' } })
  expect(err).toMatch(/no turn t-0000000000000000~s is kept/)
})

test('turns can be listed from any folder, with nothing but REDIS_URL', async () => {
  using empty = folderWith({})
  const { status, out } = await runCli(['turns', 'list', '--limit', '2'], { cwd: empty.path, env })
  expect(status).toBe(0)
  expect(out).toMatch(/^TURN +STATE +AGENT/)
  const listed = await runCli(['turns', 'list', '--json'], { cwd: empty.path, env })
  expect((listed.json() as { turns: unknown[] }).turns.length).toBeGreaterThan(3)
})

test('an agent that no running worker has is a failure', async () => {
  await worker.redis.zadd('{turnkeeper:fleet}:workers', Date.now() + 60_000, 'w1')
  try {
    const { status, json } = await run('enqueue', 'nobody', '--input', 'x', '--json')
    expect(status).toBe(1)
    expect(json()).toMatchObject({ error: { code: 'turn/unknown_agent' } })
  } finally {
    await worker.redis.del('{turnkeeper:fleet}:workers')
  }
})

test.each([
  [
    'at the address that is set',
    { REDIS_URL: 'redis://:hunter2@127.0.0.1:1' },
    /127\.0\.0\.1:1 cannot be reached/,
  ],
  ['in this folder', {}, /REDIS_URL is not set/],
])('a Redis that is not %s is a failure with what to do', async (_name, where, words) => {
  const { status, json, err } = await runCli(['turns', 'list', '--json'], { cwd, env: where })
  expect(status).toBe(1)
  expect(err).toMatch(words)
  expect(err).not.toMatch(/hunter2|^\s+at /m)
  expect(json()).toMatchObject({ error: { code: 'queue/redis_unavailable' } })
})

test('the transcript of a turn that is not over tells what there is, without what a restart has discarded', async () => {
  const id = (await run('enqueue', 'echo', '--input', 'hello')).out.trim()
  const queued = await run('turns', 'show', id, '--transcript')
  expect(queued.out).toMatch(/: queued\.\n/)
  expect(queued.out).toMatch(/^- [\d:.]+ queued, 0 ahead$/m)

  const turn = await worker.take(id)
  await turn.emit({ type: 'step.started', stepId: 'm1', kind: 'model', name: 'coder' })
  await turn.say('It is ')
  await turn.say('rai')
  await turn.emit({ type: 'step.restarted', stepId: 'm1', reason: 'stall' })
  await turn.say('Let me ', 'look.\n- 00:00 completed')
  await turn.emit({
    type: 'tool.call',
    stepId: 'm1.1',
    callId: 'c1',
    name: 'weather',
    input: { city: 'Oslo' },
  })
  await turn.emit({ type: 'turn.needs_review', callId: 'c1', reason: 'unknown_outcome' })
  await turn.emit({ type: 'tool.result', stepId: 'm1.1', callId: 'c1', output: 'sun' })
  const { out } = await run('turns', 'show', id, '--transcript')
  expect(out).toContain('## m1: model coder')
  expect(out).not.toContain('rai')
  expect(out).toContain('> Let me look.\n> - 00:00 completed\n')
  expect(out).toContain('call c1 of weather:\n\n> {"city":"Oslo"}\n')
  expect(out).toContain('call c1 gave:\n\n> sun\n')
  expect(out).toContain('call c1 needs a review (unknown outcome)')
})
