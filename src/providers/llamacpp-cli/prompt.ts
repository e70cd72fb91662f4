/** From messages to the one prompt and the one system prompt that `llama-cli` takes; the model's template does the rest. */

import { TurnkeeperError } from '../../errors.ts'
import type { ContentPart, Message, ModelRequest } from '../types.ts'

export type Prompt = { readonly system: string; readonly prompt: string }

const PREAMBLE = 'This is a conversation so far. Answer its last message, without a name before it.'

/** Throws `capability_missing` for tools and images, `invalid_request` for text that no file may hold. */
export function toPrompt({ messages, tools = [], toolChoice }: ModelRequest): Prompt {
  if (tools.length > 0 && toolChoice !== 'none') throw missing('tools')
  const system = messages.filter(({ role }) => role === 'system').map(textOf)
  const talk = messages.filter(({ role }) => role !== 'system')
  const [only] = talk
  if (only === undefined) throw new TurnkeeperError('invalid_request', 'expected a message of the user')
  const isSingle = talk.length === 1 && only.role === 'user'
  const prompt = isSingle ? textOf(only) : [PREAMBLE, ...talk.map(toParagraph)].join('\n\n')
  return { system: checked(system.join('\n\n')), prompt: unlikeCommand(checked(prompt)) }
}

/** llama-cli takes `/read FILE` and its like at the start of a prompt for commands, wherever the prompt came from. */
function unlikeCommand(prompt: string): string {
  return prompt.startsWith('/') ? ` ${prompt}` : prompt
}

function checked(text: string): string {
  if (!text.includes('\0')) return text
  throw new TurnkeeperError(
    'invalid_request',
    'the messages contain a NUL character: llama-cli would stop at it',
  )
}

function toParagraph(message: Message): string {
  const text = textOf(message)
  switch (message.role) {
    case 'assistant': {
      const calls = (message.toolCalls ?? []).map(
        ({ name, input }) => `[called ${name} ${JSON.stringify(input)}]`,
      )
      return `Assistant: ${[text, ...calls].filter((line) => line !== '').join('\n')}`
    }
    case 'tool':
      return `Result of ${message.name}: ${text}`
    default:
      return `User: ${text}`
  }
}

function textOf({ content }: { readonly content: string | readonly ContentPart[] }): string {
  if (typeof content === 'string') return content
  return content
    .map((part) => {
      if (part.type === 'image') throw missing('images')
      return part.text
    })
    .join('')
}

function missing(what: string): TurnkeeperError {
  return new TurnkeeperError(
    'capability_missing',
    `llama-cli takes no ${what} here: use llama-server instead`,
  )
}
