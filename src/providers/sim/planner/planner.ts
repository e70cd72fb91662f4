/**
 * The mind of the simulated upstream: a deterministic planner that really works with the tools it is given.
 *
 * It decides in this order, from the messages alone:
 * 1. directives of the message (`directives.ts`): calls exactly so, says exactly so;
 * 2. a tool choice that forces a call, in the first step of a turn;
 * 3. questions about the conversation (`recall.ts`);
 * 4. the tool calls that the task still wants (`steps.ts`): list, search, count, read; at most four steps;
 * 5. a report of what the tools said (`report.ts`), or an acknowledgement where there was nothing to do;
 *    as JSON where a JSON format is asked for.
 *
 * The same seed and conversation give the same answer, down to the ids of its tool calls. A model whose name
 * contains `reasoning` thinks aloud first, as does any that is asked to; and none that is asked not to.
 */

import type { ToolCall, ToolSpec } from '../../types.ts'
import { digest, pick, seededRandom, seedOf } from '../random.ts'
import type { SimAnswer, SimRequest } from '../types.ts'
import { readToolbox } from './abilities.ts'
import { type Conversation, readConversation } from './conversation.ts'
import { type Directives, readDirectives } from './directives.ts'
import { readFindings } from './findings.ts'
import { jsonAnswer } from './json-answer.ts'
import { acknowledge, recall } from './recall.ts'
import { report } from './report.ts'
import { callsOf, nextCalls, type PlannedCall, type Situation } from './steps.ts'
import { readTask } from './task.ts'

type Decision =
  | { readonly type: 'call'; readonly calls: readonly PlannedCall[] }
  | { readonly type: 'say'; readonly text: string; readonly exact?: boolean }

const OPENINGS = ['Understood.', 'Noted.', 'All right.', 'I see.'] as const

/** About four characters of English make a token. */
const CHARACTERS_OF_A_TOKEN = 4

/** The answer to a request. */
export function plan(request: SimRequest, { seed }: { readonly seed: number }): SimAnswer {
  const decision = decide(request, seed)
  const thinks = request.thinking ?? /reasoning/.test(request.model)
  const reasoning = thinks ? { reasoning: think(decision) } : {}
  if (decision.type === 'call') {
    const calls =
      request.parameters?.parallelToolCalls === false ? decision.calls.slice(0, 1) : decision.calls
    const toolCalls = calls.map((call, index) => withId(call, [seed, request.messages, index]))
    return finish({ text: '', toolCalls, finishReason: 'tool_calls', ...reasoning }, request)
  }
  const text = decision.exact === true ? decision.text : formatted(decision.text, request)
  return finish({ text, toolCalls: [], finishReason: 'stop', ...reasoning }, request)
}

function decide(request: SimRequest, seed: number): Decision {
  const conversation = readConversation(request.messages)
  const tools = request.toolChoice === 'none' ? [] : (request.tools ?? [])
  const directed = follow(readDirectives(conversation.question), conversation, request.toolChoice !== 'none')
  if (directed !== undefined) return directed
  const situation = situate(conversation, tools)
  const forced = conversation.rounds.length === 0 ? forcedCalls(request, situation) : []
  if (forced.length > 0) return { type: 'call', calls: forced }
  const remembered = recall(conversation)
  if (remembered !== undefined) return { type: 'say', text: remembered }
  const calls = nextCalls(situation)
  if (calls.length > 0) return { type: 'call', calls }
  const opening = pick(OPENINGS, seededRandom(seedOf([seed, request.messages])))
  return { type: 'say', text: report(situation) || acknowledge(conversation, opening) }
}

function situate(conversation: Conversation, tools: readonly ToolSpec[]): Situation {
  const task = readTask(conversation.question)
  const toolbox = readToolbox(tools)
  return { conversation, task, tools: toolbox, findings: readFindings(conversation, toolbox, task) }
}

function follow(
  { steps, say }: Directives,
  { rounds }: Conversation,
  mayCall: boolean,
): Decision | undefined {
  const step = steps[rounds.length]
  if (mayCall && step !== undefined) {
    return { type: 'call', calls: step.map(({ tool, input }) => ({ name: tool, input })) }
  }
  if (say !== undefined) return { type: 'say', text: say, exact: true }
  if (steps.length === 0 || rounds.length === 0) return undefined
  const results = rounds.flat().map(({ name, result }) => `The result of ${name} is: ${result}`)
  return { type: 'say', text: results.join('\n') }
}

/** A forced choice is obeyed once a turn: a model that always obeyed it would never answer. */
function forcedCalls({ toolChoice, tools = [] }: SimRequest, situation: Situation): readonly PlannedCall[] {
  if (toolChoice === undefined || toolChoice === 'auto' || toolChoice === 'none') return []
  const planned = nextCalls(situation)
  if (toolChoice === 'required') {
    const first = tools[0]
    return planned.length > 0 || first === undefined ? planned : callsOf(first, situation.task).slice(0, 1)
  }
  const named = planned.filter((call) => call.name === toolChoice.name)
  const tool = tools.find(({ name }) => name === toolChoice.name)
  return named.length > 0 || tool === undefined ? named : callsOf(tool, situation.task).slice(0, 1)
}

function withId({ name, input }: PlannedCall, identity: unknown): ToolCall {
  return { id: `call_${digest(identity).slice(0, 16)}`, name, input }
}

function formatted(text: string, { responseFormat, messages }: SimRequest): string {
  if (responseFormat === undefined || responseFormat.type === 'text') return text
  const question = readConversation(messages).question
  return JSON.stringify(jsonAnswer(responseFormat, text, readTask(question)))
}

function think(decision: Decision): string {
  if (decision.type === 'say') return 'I have what I need, so I can answer.'
  return `I need to use ${[...new Set(decision.calls.map(({ name }) => name))].join(' and ')} first.`
}

/** Cuts the text at the token limit and counts. */
function finish(said: Omit<SimAnswer, 'usage'>, request: SimRequest): SimAnswer {
  const most = (request.parameters?.maxTokens ?? Number.POSITIVE_INFINITY) * CHARACTERS_OF_A_TOKEN
  const text = said.text.length > most ? said.text.slice(0, most).toWellFormed() : said.text
  const reasoningTokens = tokens(said.reasoning ?? '')
  const calls = said.toolCalls.map(({ name, input }) => name + JSON.stringify(input)).join('')
  return {
    ...said,
    text,
    finishReason: text === said.text ? said.finishReason : 'length',
    usage: {
      inputTokens: tokens(JSON.stringify([request.messages, request.tools ?? []])),
      outputTokens: Math.max(1, tokens(text + calls) + reasoningTokens),
      reasoningTokens,
    },
  }
}

function tokens(text: string): number {
  return Math.ceil(text.length / CHARACTERS_OF_A_TOKEN)
}
