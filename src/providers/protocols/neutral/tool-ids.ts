/**
 * Ids of tool calls as the next upstream accepts them. A session may cross vendors: one counts its calls anew in
 * each answer (`call_1`), one writes `functions.weather:0`, and others refuse such ids for good, by their signs,
 * their length, or because an earlier turn had them.
 */

import { createHash } from 'node:crypto'

import type { Message } from '../../types.ts'

/** The ids that an upstream accepts, and how many hexadecimal digits stand in for one that it would not. */
export type ToolIdRule = { readonly accepted: RegExp; readonly digits: number }

/** `messages` with ids that the rule accepts, no two calls with the same one; results follow their calls. */
export function withAcceptedIds(messages: readonly Message[], rule: ToolIdRule): readonly Message[] {
  const used = new Set<string>()
  const latest = new Map<string, string>()
  return messages.map((message): Message => {
    if (message.role === 'tool') {
      const toolCallId = latest.get(message.toolCallId) ?? acceptedId(message.toolCallId, rule)
      return { ...message, toolCallId }
    }
    if (message.role !== 'assistant' || message.toolCalls === undefined) return message
    const toolCalls = message.toolCalls.map((call) => {
      const id = freshId(call.id, { used, rule })
      used.add(id)
      latest.set(call.id, id)
      return { ...call, id }
    })
    return { ...message, toolCalls }
  })
}

function freshId(id: string, { used, rule }: { used: ReadonlySet<string>; rule: ToolIdRule }): string {
  let fresh = acceptedId(id, rule)
  for (let turn = 2; used.has(fresh); turn++) fresh = acceptedId(`${id}-${turn}`, rule)
  return fresh
}

/** The same id gives the same digits, so that a conversation reads the same in every request. */
function acceptedId(id: string, { accepted, digits }: ToolIdRule): string {
  return accepted.test(id) ? id : createHash('sha256').update(id).digest('hex').slice(0, digits)
}
