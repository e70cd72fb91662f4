/** The rule that hosted models enforce on the messages of a request, whatever the protocol. */

import type { Message } from '../../types.ts'

/**
 * What is wrong with the order of `messages`, if anything: every tool call is answered by tool messages that follow
 * it at once, and every tool message answers a call (OpenAI refuses anything else with status 400).
 */
export function transcriptProblem(messages: readonly Message[]): string | undefined {
  let open = new Set<string>()
  for (const [index, message] of messages.entries()) {
    if (message.role === 'tool') {
      if (!open.delete(message.toolCallId)) {
        return `messages.${index}: role 'tool' must answer a preceding message with 'tool_calls'`
      }
      continue
    }
    if (open.size > 0) return unanswered(open)
    open = new Set(message.role === 'assistant' ? message.toolCalls?.map((call) => call.id) : [])
  }
  return open.size > 0 ? unanswered(open) : undefined
}

function unanswered(open: ReadonlySet<string>): string {
  return `an assistant message with 'tool_calls' must be followed by tool messages for: ${[...open].join(', ')}`
}
