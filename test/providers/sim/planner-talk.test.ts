import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSim, type Sim } from '../../../src/providers/sim/sim.ts'
import { ask, complete, type WireMessage } from './chat.ts'

const tool = (name: string, properties: object, required: readonly string[]) => ({
  type: 'function',
  function: { name, description: `The tool ${name}.`, parameters: { type: 'object', properties, required } },
})

const WEATHER = tool('weather', { city: { type: 'string' } }, ['city'])
const CONVERT = tool(
  'convert',
  {
    amount: { type: 'number' },
    unit: { enum: ['km', 'miles'] },
    exact: { type: 'boolean' },
    note: { type: 'string' },
  },
  ['amount', 'unit', 'exact'],
)

let sim: Sim
beforeAll(async () => {
  sim = await createSim()
})
afterAll(() => sim.close())

/** Says each message in turn in one session and returns the last answer. */
async function talk(...sayings: readonly string[]): Promise<string> {
  const messages: WireMessage[] = []
  for (const content of sayings) {
    messages.push({ role: 'user', content })
    const message = (await complete(sim, { messages })).choices[0]?.message
    if (message !== undefined) messages.push(message)
  }
  return messages.at(-1)?.content ?? ''
}

const inputs = (message: WireMessage) =>
  (message.tool_calls ?? []).map((call) => [
    call.function.name,
    JSON.parse(call.function.arguments) as unknown,
  ])

describe('conversation', () => {
  test('it knows what it was told', async () => {
    expect(await talk('My name is Ada.', 'What is my name?')).toBe('Your name is Ada.')
    expect(await talk('My favourite colour is dark green.', 'Hi', "What's my favourite colour?")).toContain(
      'dark green',
    )
    expect(await talk('What is my name?')).toContain('not told me')
  })

  test('it knows what was asked before, first and last', async () => {
    const before = ['Tell me of whales.', 'Tell me of crows.'] as const
    expect(await talk(...before, 'What did I ask before?')).toMatch(/whales.*crows/)
    expect(await talk(...before, 'What was my first question?')).not.toContain('crows')
    expect(await talk(...before, 'What was my last message?')).toMatch(/crows/)
    expect(await talk('What did I ask before?')).toBe('You have not said anything before this.')
  })

  test('it knows what it answered', async () => {
    expect(await talk('say "forty-two"', 'What did you say?')).toBe('I said: "forty-two"')
  })

  test('otherwise it repeats what it understood', async () => {
    expect(await talk('Good morning.')).toContain('"Good morning."')
  })
})

describe('directives', () => {
  test('say answers exactly the text', async () => {
    expect((await ask(sim, 'Please say "a \\"b\\" {c}".')).content).toBe('a "b" {c}')
  })

  test('call calls exactly that tool, several in one step, and then tells the results', async () => {
    const question =
      'call weather with {"city":"}{\\""} and call other with {"n":[1]}, then call weather with {"city":"B"}'
    const messages: WireMessage[] = [{ role: 'user', content: question }]
    const seen: unknown[] = []
    for (;;) {
      const message = (await complete(sim, { messages, tools: [WEATHER] })).choices[0]?.message
      if (message?.tool_calls === undefined) {
        expect(message?.content).toBe(
          'The result of weather is: r0\nThe result of other is: r1\nThe result of weather is: r0',
        )
        break
      }
      seen.push(inputs(message))
      messages.push(
        message,
        ...message.tool_calls.map((call, at) => ({ role: 'tool', tool_call_id: call.id, content: `r${at}` })),
      )
    }
    expect(seen).toEqual([
      [
        ['weather', { city: '}{"' }],
        ['other', { n: [1] }],
      ],
      [['weather', { city: 'B' }]],
    ])
  })
})

describe('choice of tools', () => {
  test('arguments come from the message by the names and types of the schema', async () => {
    const message = await ask(sim, 'Convert 26.2 miles please.', { tools: [WEATHER, CONVERT] })
    expect(inputs(message)).toEqual([['convert', { amount: 26.2, unit: 'miles', exact: false }]])
  })

  test('none calls nothing, required calls something, a name calls that tool', async () => {
    const tools = [WEATHER, CONVERT]
    expect((await ask(sim, 'Weather in Rome?', { tools, tool_choice: 'none' })).tool_calls).toBeUndefined()
    expect((await ask(sim, 'Hello', { tools, tool_choice: 'required' })).tool_calls).toHaveLength(1)
    const named = { type: 'function', function: { name: 'convert' } }
    const message = await ask(sim, 'Weather in Rome?', { tools, tool_choice: named })
    expect(inputs(message)[0]?.[0]).toBe('convert')
  })

  test('a message that has nothing to do with the tools is answered in words', async () => {
    expect((await ask(sim, 'Good morning.', { tools: [WEATHER] })).tool_calls).toBeUndefined()
  })
})

describe('JSON answers', () => {
  test('json_object gives an object', async () => {
    const message = await ask(sim, 'Hello', { response_format: { type: 'json_object' } })
    expect(JSON.parse(message.content ?? '')).toEqual({ answer: expect.stringContaining('Hello') })
  })

  test('json_schema gives an object that satisfies the schema', async () => {
    const schema = {
      type: 'object',
      properties: {
        summary: { type: 'string', maxLength: 20 },
        count: { type: 'integer', minimum: 3, maximum: 9 },
        mood: { enum: ['calm', 'angry'] },
        sure: { type: 'boolean' },
        tags: { type: 'array', items: { type: 'string' }, minItems: 2 },
        place: { $ref: '#/$defs/place' },
        maybe: { anyOf: [{ type: 'null' }, { type: 'number' }] },
      },
      required: ['summary', 'count', 'mood', 'sure', 'tags', 'place', 'maybe'],
      $defs: { place: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
    }
    const format = { type: 'json_schema', json_schema: { name: 'report', schema } }
    const message = await ask(sim, 'An angry crowd of 7 in Paris.', { response_format: format })
    expect(JSON.parse(message.content ?? '')).toEqual({
      summary: expect.stringMatching(/^.{1,20}$/),
      count: 7,
      mood: 'angry',
      sure: true,
      tags: [expect.any(String), expect.any(String)],
      place: { city: 'Paris' },
      maybe: expect.any(Number),
    })
  })
})
