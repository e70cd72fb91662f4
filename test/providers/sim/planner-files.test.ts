import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSim, type Sim } from '../../../src/providers/sim/sim.ts'
import { complete, type WireCall, type WireMessage } from './chat.ts'

const FILES: Readonly<Record<string, string>> = {
  'src/queue/journal.ts': '/** The journal. */\nexport const a = 1\nexport const b = 2\nexport const c = 3\n',
  'src/queue/client.ts': '// The client.\nexport const d = 4\n',
  'src/queue/lua/claim.lua': 'return 1\n',
  'src/queue/notes.md': '# Notes\n\nlong\nlonger\nlongest\nof all\n',
  'README.md': '# The project\n\nWords. TODO\n',
}

type Input = Readonly<Record<string, string>>

/** Real tools on a small tree; a missing path is an error, as on a disk. */
const TOOLS: Readonly<Record<string, (input: Input) => unknown>> = {
  list_files: ({ directory = '.' }) => {
    const prefix = directory === '.' ? '' : `${directory}/`
    const below = Object.keys(FILES).filter((path) => path.startsWith(prefix))
    if (below.length === 0) throw new Error(`ENOENT: no such directory ${directory}`)
    const entries = below.map((path) => path.slice(prefix.length).replace(/\/.*/, '/'))
    return [...new Set(entries)]
  },
  read_file: ({ path = '' }) => contentOf(path),
  count_lines: ({ path = '' }) => ({ path, lines: contentOf(path).split('\n').length - 1 }),
  search_text: ({ query = '' }) =>
    Object.entries(FILES).flatMap(([path, text]) =>
      text.split('\n').flatMap((line, at) => (line.includes(query) ? [`${path}:${at + 1}: ${line}`] : [])),
    ),
}

const PARAMETERS: Readonly<Record<string, string>> = {
  list_files: 'directory',
  read_file: 'path',
  count_lines: 'path',
  search_text: 'query',
}

function contentOf(path: string): string {
  const text = FILES[path]
  if (text === undefined) throw new Error(`ENOENT: no such file ${path}`)
  return text
}

function offer(names: readonly string[]): readonly object[] {
  return names.map((name) => {
    const parameter = PARAMETERS[name] ?? 'input'
    const parameters = {
      type: 'object',
      properties: { [parameter]: { type: 'string' } },
      required: [parameter],
    }
    return {
      type: 'function',
      function: { name, description: `Does ${name} in the repository.`, parameters },
    }
  })
}

function runTool(call: WireCall): WireMessage {
  const answer = (content: string): WireMessage => ({ role: 'tool', tool_call_id: call.id, content })
  try {
    const result = TOOLS[call.function.name]?.(JSON.parse(call.function.arguments) as Input)
    return answer(typeof result === 'string' ? result : JSON.stringify(result))
  } catch (error) {
    return answer(`Error: ${(error as Error).message}`)
  }
}

type Turn = { readonly text: string; readonly steps: readonly (readonly string[])[] }

/** Runs a turn as an agent would; `steps` are the calls of each step as `tool(argument)`. */
async function turn(sim: Sim, question: string, body: object = {}): Promise<Turn> {
  const messages: WireMessage[] = [{ role: 'user', content: question }]
  const steps: string[][] = []
  const tools = offer(Object.keys(TOOLS))
  for (let nth = 0; nth < 10; nth += 1) {
    const message = (await complete(sim, { messages, tools, ...body })).choices[0]?.message
    if (message === undefined) break
    const calls = message.tool_calls ?? []
    if (calls.length === 0) return { text: message.content ?? '', steps }
    steps.push(
      calls.map(
        (call) => `${call.function.name}(${Object.values(JSON.parse(call.function.arguments)).join()})`,
      ),
    )
    messages.push(message, ...calls.map(runTool))
  }
  throw new Error(`no end after ${steps.length} steps`)
}

let sim: Sim
beforeAll(async () => {
  sim = await createSim()
})
afterAll(() => sim.close())

describe('a task on files', () => {
  test('it lists, counts in parallel, and answers with the numbers of the results', async () => {
    const question = 'How many TypeScript files are there under src/queue, and which is the longest?'
    const { text, steps } = await turn(sim, question)
    expect(steps).toEqual([
      ['list_files(src/queue)'],
      ['list_files(src/queue/lua)', 'count_lines(src/queue/journal.ts)', 'count_lines(src/queue/client.ts)'],
    ])
    expect(text).toContain('There are 2 TypeScript files under src/queue.')
    expect(text).toContain('The longest is src/queue/journal.ts with 4 lines.')
  })

  test('without a tool that counts it reads and counts itself', async () => {
    const tools = offer(['list_files', 'read_file'])
    const { text, steps } = await turn(sim, 'Which is the shortest TypeScript file in src/queue?', { tools })
    expect(steps[1]).toEqual(['read_file(src/queue/journal.ts)', 'read_file(src/queue/client.ts)'])
    expect(text).toContain('The shortest is src/queue/client.ts with 2 lines.')
  })

  test('it measures first and then reads the file that stands out', async () => {
    const { text, steps } = await turn(sim, 'Summarize the longest TypeScript file in src/queue.')
    expect(steps.at(-1)).toEqual(['read_file(src/queue/journal.ts)'])
    expect(text).toContain('begins: "The journal.')
  })

  test('it searches for what is quoted and says where it is', async () => {
    const { text, steps } = await turn(sim, 'Which files mention "TODO"?')
    expect(steps).toEqual([['search_text(TODO)']])
    expect(text).toBe('"TODO" was found once, in README.md.')
    expect((await turn(sim, 'Search for "nowhere".')).text).toBe('"nowhere" was not found.')
  })

  test('it reads several named files in one step, or one a step where parallel calls are off', async () => {
    const question = 'Read README.md and src/queue/client.ts.'
    const together = await turn(sim, question)
    expect(together.steps).toEqual([['read_file(README.md)', 'read_file(src/queue/client.ts)']])
    const apart = await turn(sim, question, { parallel_tool_calls: false })
    expect(apart.steps).toEqual([['read_file(README.md)'], ['read_file(src/queue/client.ts)']])
    expect(apart.text).toBe(together.text)
  })

  test('after an error it tries another path once and then tells what failed', async () => {
    const found = await turn(sim, 'Read docs/README.md')
    expect(found.steps).toEqual([['read_file(docs/README.md)'], ['read_file(README.md)']])
    expect(found.text).toContain('begins: "The project"')
    const lost = await turn(sim, 'Read docs/none.md')
    expect(lost.steps).toHaveLength(2)
    expect(lost.text).toContain('read_file failed for docs/none.md: Error: ENOENT')
  })

  test('it ends after four steps at most, whatever the tools return', async () => {
    const messages: WireMessage[] = [{ role: 'user', content: 'How many lines are under a/b in all files?' }]
    let steps = 0
    for (;;) {
      const message = (await complete(sim, { messages, tools: offer(Object.keys(TOOLS)) })).choices[0]
        ?.message
      if (message?.tool_calls === undefined) break
      steps += 1
      const deeper = (call: WireCall) => ({
        role: 'tool',
        tool_call_id: call.id,
        content: JSON.stringify([`d${steps}/`, `f${steps}.ts`]),
      })
      messages.push(message, ...message.tool_calls.map(deeper))
    }
    expect(steps).toBe(4)
  })
})

describe('determinism', () => {
  test('the same seed gives the same turn, down to the ids of the calls; another seed other ids', async () => {
    const request = { messages: [{ role: 'user', content: 'Read README.md' }], tools: offer(['read_file']) }
    const idOf = async (seed: number) => {
      await using own = await createSim({ seed })
      return (await complete(own, request)).choices[0]?.message.tool_calls?.[0]?.id
    }
    expect(await idOf(3)).toBe(await idOf(3))
    expect(await idOf(3)).not.toBe(await idOf(4))
  })
})
