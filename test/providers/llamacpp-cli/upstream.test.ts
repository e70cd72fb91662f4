import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TurnkeeperError } from '../../../src/errors.ts'
import { createUpstream } from '../../../src/providers/attempt/create-upstream.ts'
import { createProvider, type ProviderOptions } from '../../../src/providers/provider.ts'
import type { ModelRequest, StreamPart } from '../../../src/providers/types.ts'

const BINARY = resolve('test/fixtures/llama-cli.mjs')
const KINDS = 'talks thinks bare echoes tells fails dies complains silent hangs stalls floods stubborn'.split(
  ' ',
)
const ask = (content: string): ModelRequest => ({ messages: [{ role: 'user', content }] })
const HELLO = ask('Hello there, how are you?')

let modelsDir: string
beforeAll(async () => {
  modelsDir = await mkdtemp(join(tmpdir(), 'turnkeeper-models-'))
  for (const kind of KINDS) await writeFile(join(modelsDir, `${kind}.gguf`), '')
})
afterAll(() => rm(modelsDir, { recursive: true }))

function optionsFor(model: string, more: Partial<ProviderOptions> = {}): ProviderOptions {
  return { protocol: 'llamacpp-cli', command: { binary: BINARY, modelsDir }, model, retries: 0, ...more }
}

async function answerOf(model: string, request = HELLO, more: Partial<ProviderOptions> = {}) {
  await using provider = createProvider(optionsFor(model, more))
  return await provider.complete(request)
}

async function errorOf(model: string, request = HELLO, more: Partial<ProviderOptions> = {}) {
  const error: unknown = await answerOf(model, request, more).catch((caught: unknown) => caught)
  if (!(error instanceof TurnkeeperError)) throw new Error('expected a TurnkeeperError')
  return error
}

type Told = {
  args: string[]
  prompt: string
  system: string | null
  schema: string | null
  env: string[]
  cwd: string
  mode: string
  folderMode: string
}

async function told(request: ModelRequest, more: Partial<ProviderOptions> = {}): Promise<Told> {
  return JSON.parse((await answerOf('tells', request, more)).text) as Told
}

describe('answers', () => {
  test('banner, echo, wheel, timings and farewell are no part of the answer', async () => {
    expect(await answerOf('talks')).toMatchObject({
      text: 'Hellö [there],\n\n- one\n- two / three.',
      finishReason: 'stop',
      usage: null,
      model: 'talks',
      route: 'llamacpp-cli/talks',
    })
  })

  test('an echo that was cut for its length is known all the same', async () => {
    const { text } = await answerOf('talks', ask('A long question, öfter. '.repeat(100)))
    expect(text).toBe('Hellö [there],\n\n- one\n- two / three.')
  })

  test('builds that print the bare answer, or the bare prompt before it, are read too', async () => {
    expect((await answerOf('bare')).text).toBe('Only the answer.')
    expect((await answerOf('echoes')).text).toBe('and so on.')
  })

  test('reasoning is told apart', async () => {
    expect(await answerOf('thinks')).toMatchObject({
      reasoning: { text: 'First I think.' },
      text: 'Then I speak.',
    })
  })

  test('text comes as it is printed, after one start and before one finish', async () => {
    await using provider = createProvider(optionsFor('talks'))
    const parts: StreamPart[] = []
    for await (const part of provider.stream(HELLO)) parts.push(part)
    expect(parts.at(0)).toMatchObject({ type: 'start', requestId: null })
    expect(parts.at(-1)).toEqual({ type: 'finish', reason: 'stop', rawReason: null })
    expect(parts.filter(({ type }) => type === 'text').length).toBeGreaterThan(3)
  })

  test('without streaming nothing is handed on before the process has ended well', async () => {
    await using provider = createProvider(optionsFor('dies', { stream: false }))
    const parts: StreamPart[] = []
    for await (const part of provider.stream(HELLO)) parts.push(part)
    expect(parts.map(({ type }) => type)).toEqual(['error'])
  })
})

describe('what the process is given', () => {
  test('prompts travel in private files that are gone afterwards', async () => {
    const secret = 'a prompt that nobody else may read'
    const { args, prompt, system, mode, folderMode, cwd } = await told({
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: secret },
      ],
    })
    expect({ prompt, system, mode, folderMode }).toEqual({
      prompt: secret,
      system: 'Be brief.',
      mode: '600',
      folderMode: '700',
    })
    expect(args.join(' ')).not.toContain(secret)
    expect(args).toEqual(expect.arrayContaining(['--single-turn', '--simple-io', '--no-escape']))
    await expect(readdir(cwd)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('parameters are flags, and a format is a schema in a file', async () => {
    const { args, schema } = await told({
      ...HELLO,
      parameters: { maxTokens: 7, temperature: 0.5, topP: 0.9, seed: 3 },
      responseFormat: { type: 'json_schema', name: 'x', schema: { type: 'object' } },
    })
    expect(args.join(' ')).toContain('--predict 7 --temp 0.5 --top-p 0.9 --seed 3')
    expect(schema).toBe('{"type":"object"}')
  })

  test('arguments of the configuration come first, so that ours stand', async () => {
    const { args } = await told(HELLO, {
      command: { binary: BINARY, modelsDir, args: ['--threads', '4; rm -rf /'] },
    })
    expect(args.slice(0, 3)).toEqual(['--threads', '4; rm -rf /', '--model'])
  })

  test('its environment holds no secrets and nothing that changes llama.cpp', async () => {
    process.env.LLAMA_ARG_MODEL = 'x'
    process.env.SOME_API_KEY = 'sk-x'
    const { env } = await told(HELLO)
    delete process.env.LLAMA_ARG_MODEL
    delete process.env.SOME_API_KEY
    expect(env).toContain('PATH')
    expect(env.filter((name) => /KEY|TOKEN|LLAMA/.test(name))).toEqual([])
  })

  test('a prompt is never a command to llama-cli, nor a flag', async () => {
    expect((await told(ask('/read /etc/passwd'))).prompt).toBe(' /read /etc/passwd')
    expect((await told(ask('--model /etc/passwd'))).args).not.toContain('/etc/passwd')
  })

  test('a conversation is told as one prompt', async () => {
    const { prompt } = await told({
      messages: [
        { role: 'user', content: 'My name is Ada.' },
        { role: 'assistant', content: 'Hello Ada.' },
        { role: 'user', content: 'Who am I?' },
      ],
    })
    expect(prompt).toMatch(/User: My name is Ada\.\n\nAssistant: Hello Ada\.\n\nUser: Who am I\?$/)
  })
})

describe('what is refused before anything runs', () => {
  test.each([
    ['tools', { ...HELLO, tools: [{ name: 't', description: '', inputSchema: {} }] }],
    [
      'images',
      { messages: [{ role: 'user', content: [{ type: 'image', url: 'https://a/b.png' }] }] } as ModelRequest,
    ],
  ])('%s are a missing capability', async (_what, request) => {
    expect((await errorOf('talks', request)).code).toBe('not_found/capability_missing')
  })

  test('a NUL character and stop sequences are refused', async () => {
    expect((await errorOf('talks', ask('a\0b'))).code).toBe('bad_request/invalid_request')
    const withStop = { ...HELLO, parameters: { stop: ['x'] } }
    expect((await errorOf('talks', withStop)).code).toBe('bad_request/invalid_parameter')
  })

  test.each(['missing', '../escape', '/etc/passwd', '--help', 'a\0b', '', '.'])(
    'the model %j is not found',
    async (model) => {
      expect((await errorOf(model)).code).toBe('not_found/model_not_found')
    },
  )

  test('a missing program is a bad request, and says what to set', async () => {
    const error = await errorOf('talks', HELLO, { command: { binary: '/nowhere/llama-cli', modelsDir } })
    expect(error).toMatchObject({ code: 'bad_request/process_missing', retryable: true })
    expect(error.message).toContain('command.binary')
  })

  test('the protocol without a command is a configuration error', () => {
    expect(() => createUpstream({ protocol: 'llamacpp-cli', model: 'x' })).toThrow(/needs command/)
  })
})

describe('failures', () => {
  test('a failing process is a failure of the server, with the end of its standard error', async () => {
    const report = await createUpstream(optionsFor('fails') as never).attempt(HELLO, () => undefined)
    expect(report.error).toMatchObject({ code: 'server/process_failed', retryable: true })
    expect(report.error?.message).toMatch(/status 3$/)
    expect(report.error?.excerpt).toBe('error: out of memory at layer 12')
    expect(report.stderr).toHaveLength(65_536)
    expect(Buffer.from(report.stderr ?? []).toString()).toMatch(/layer 12\n$/)
    expect(report.excerpt).toHaveLength(2048)
  })

  test('a process that dies in the middle is a failure that keeps what had come', async () => {
    const error = await errorOf('dies')
    expect(error).toMatchObject({ code: 'server/process_failed', partial: { text: 'Half an answer' } })
    expect(error.message).toContain('SIGSEGV')
  })

  test('a complaint in the place of an answer is no answer', async () => {
    expect((await errorOf('complains')).code).toBe('bad_request/context_length')
  })

  test('no answer at all is a failure, whatever the status', async () => {
    expect((await errorOf('silent')).code).toBe('server/process_failed')
  })

  test('output without end is cut off', async () => {
    const limits = { bodyBytes: 20_000, eventBytes: 1, toolArgumentBytes: 1 }
    expect((await errorOf('floods', HELLO, { limits })).message).toContain('more than 20000 bytes')
  })

  test.each([
    ['hangs', { firstContentMs: 600 }, 'network/timeout_first_content'],
    ['stalls', { idleMs: 200 }, 'network/stall'],
    ['stalls', { totalMs: 900 }, 'network/timeout_total'],
  ])('%s with %j ends in %s', async (model, timeouts, code) => {
    expect((await errorOf(model, HELLO, { timeouts })).code).toBe(code)
  })

  test('a cancel ends the process and everything below it, however stubborn', async () => {
    await using provider = createProvider(optionsFor('stubborn'))
    const left = new AbortController()
    let text = ''
    let code = ''
    for await (const part of provider.stream(HELLO, { signal: left.signal })) {
      if (part.type === 'text') text += part.delta
      if (part.type === 'error') code = part.error.code
      if (/child \d+/.test(text)) left.abort()
    }
    expect(code).toBe('turn/cancelled')
    const child = Number(/child (\d+)/.exec(text)?.[1])
    await expect.poll(() => isAlive(child)).toBe(false)
  })

  test('a call that was cancelled before it began starts nothing', async () => {
    await using provider = createProvider(optionsFor('talks'))
    const asked = provider.complete(HELLO, { signal: AbortSignal.abort() })
    await expect(asked).rejects.toMatchObject({ code: 'turn/cancelled' })
  })
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
