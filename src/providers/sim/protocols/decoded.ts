/** What the decoders of all protocols share. */

import type { z } from 'zod'
import { parseJson } from '../../narrow.ts'
import type { ContentPart, ImageContent, Message } from '../../types.ts'
import type { Decoded, SimRequest } from '../types.ts'
import { transcriptProblem } from './transcript.ts'

/** A tool without a schema takes nothing. */
export const NO_INPUT = { type: 'object', properties: {} } as const

/** The request, unless its transcript is one that hosted models refuse. `field` is where the messages stood. */
export function accepted(request: SimRequest, field: string): Decoded {
  const problem = transcriptProblem(request.messages)
  return problem === undefined ? { type: 'request', request } : refused(problem, field)
}

/** What is wrong with a body, by its first issue. */
export function refusedBody({ issues: [issue] }: z.ZodError): Decoded {
  return refused(issue?.message ?? 'invalid body', issue?.path.join('.'))
}

export function refused(message: string, param?: string): Decoded {
  const error = { status: 400, type: 'invalid_request_error', message }
  return { type: 'refused', error: param === undefined || param === '' ? error : { ...error, param } }
}

/** The image behind a URL, whose bytes may stand in it. */
export function imageOf(url: string): ImageContent {
  const [, mediaType, data] = /^data:([^;,]+);base64,(.*)$/s.exec(url) ?? []
  return mediaType === undefined || data === undefined
    ? { type: 'image', url }
    : { type: 'image', mediaType, data }
}

/** The arguments of a call from their text; the text itself where it is no JSON. */
export function inputOf(text: string): unknown {
  const parsed = parseJson(text)
  return parsed === undefined ? text : parsed.value
}

/** Names of the calls in `messages`, by id: most wire formats leave them out of the results. */
export function callNames(messages: readonly Message[]): ReadonlyMap<string, string> {
  return new Map(
    messages.flatMap((message) =>
      message.role === 'assistant'
        ? (message.toolCalls ?? []).map(({ id, name }) => [id, name] as const)
        : [],
    ),
  )
}

/** Text alone as a string, anything else as parts. */
export function simplified(parts: readonly ContentPart[]): string | readonly ContentPart[] {
  return parts.every((part) => part.type === 'text') ? parts.map((part) => part.text).join('') : parts
}
