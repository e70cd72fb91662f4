/**
 * The provider contract.
 *
 * - **provider**: one upstream vendor or server, one protocol, one base URL, one model: it runs a model request.
 * - **part**: one normalised piece of an answer. A JSON answer and an event stream give the same parts.
 * - **commit point**: the first `text`, `reasoning`, `tool_call_delta` or `tool_call` part of an attempt.
 *
 * Invariants of every `run` and `stream`:
 * P1. Exactly one `finish` or `error` part comes, and it comes last.
 * P2. Nothing an upstream does makes it throw: failures are the final `error` part.
 * P3. `tool_call` parts carry parsed input and come after all their `tool_call_delta` parts, before `finish`.
 * P4. A truncated answer never ends in `finish`.
 */

import type { TurnkeeperError } from '../errors.ts'

/** A JSON Schema object (draft 2020-12, as the vendors accept it). */
export type JsonSchema = { readonly [key: string]: unknown }

export type TextContent = { readonly type: 'text'; readonly text: string }
/** One image: base64 bytes with their media type, or a URL that the upstream fetches itself. */
export type ImageContent =
  | { readonly type: 'image'; readonly data: string; readonly mediaType: string }
  | { readonly type: 'image'; readonly url: string }
export type ContentPart = TextContent | ImageContent

/** A tool call that the model asked for. `input` is parsed JSON; a string where a free-form tool was called. */
export type ToolCall = { readonly id: string; readonly name: string; readonly input: unknown }

/** Reasoning as the vendor wants it back on the next request; `signature` is opaque to us. */
export type Reasoning = { readonly text: string; readonly signature?: string }

export type Message =
  | { readonly role: 'system' | 'user'; readonly content: string | readonly ContentPart[] }
  | {
      readonly role: 'assistant'
      readonly content: string
      readonly reasoning?: Reasoning
      readonly toolCalls?: readonly ToolCall[]
    }
  | {
      readonly role: 'tool'
      readonly toolCallId: string
      readonly name: string
      readonly content: string | readonly ContentPart[]
      /** The tool failed: `content` says how, for the model to react. */
      readonly isError?: boolean
    }

/** A tool as the model sees it. */
export type ToolSpec = {
  readonly name: string
  readonly description: string
  readonly inputSchema: JsonSchema
}

export type ToolChoice = 'auto' | 'none' | 'required' | { readonly name: string }

export type ResponseFormat =
  | { readonly type: 'text' }
  | { readonly type: 'json' }
  | { readonly type: 'json_schema'; readonly name: string; readonly schema: JsonSchema }

/** Neutral names; `parameters/` says for each protocol and dialect what becomes of them, and what they may be. */
export type ModelParameters = {
  /** Most tokens of the answer. Always sent; default 4096. */
  readonly maxTokens?: number
  /** Tokens that prompt and answer share, for servers that choose it by request. */
  readonly contextWindow?: number
  readonly temperature?: number
  readonly topP?: number
  readonly topK?: number
  readonly minP?: number
  readonly stop?: readonly string[]
  readonly seed?: number
  readonly presencePenalty?: number
  readonly frequencyPenalty?: number
  /** Factor; 1 is none. */
  readonly repeatPenalty?: number
  /** Only sent together with tools. */
  readonly parallelToolCalls?: boolean
  readonly reasoningEffort?: 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max'
  /** Most tokens of the thinking before the answer. */
  readonly reasoningTokens?: number
}

/** One logical call of a model. */
export type ModelRequest = {
  /** Alias or `provider/model` for a provider runtime. A single provider has its own and ignores this. */
  readonly model?: string
  readonly messages: readonly Message[]
  readonly tools?: readonly ToolSpec[]
  readonly toolChoice?: ToolChoice
  readonly responseFormat?: ResponseFormat
  readonly parameters?: ModelParameters
  /** Where no route of the alias sees: send words in the place of images, instead of refusing. Default false. */
  readonly imagesAsText?: boolean
}

/** Counts in tokens; null where the upstream did not report one. */
export type Usage = {
  readonly inputTokens: number | null
  readonly outputTokens: number | null
  readonly totalTokens: number | null
  readonly cachedInputTokens: number | null
  readonly reasoningTokens: number | null
}

export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter' | 'refusal' | 'other'

export type StreamPart =
  | {
      readonly type: 'start'
      readonly requestId: string | null
      readonly model: string | null
      readonly route: string
    }
  | { readonly type: 'text'; readonly delta: string }
  | { readonly type: 'reasoning'; readonly delta: string; readonly signature?: string }
  | {
      readonly type: 'tool_call_delta'
      readonly index: number
      readonly id?: string
      readonly name?: string
      readonly delta: string
    }
  | {
      readonly type: 'tool_call'
      readonly index: number
      readonly id: string
      readonly name: string
      readonly input: unknown
    }
  | ({ readonly type: 'usage' } & Usage)
  | {
      readonly type: 'finish'
      readonly reason: FinishReason
      readonly rawReason: string | null
      /** What the model said in refusing, where the upstream keeps that apart from the text. */
      readonly refusal?: string
    }
  | { readonly type: 'error'; readonly error: TurnkeeperError; readonly partial: Answer }

/** The parts of one answer, collected. */
export type Answer = {
  readonly text: string
  readonly reasoning: Reasoning | null
  readonly toolCalls: readonly ToolCall[]
  readonly usage: Usage | null
  /** null while the answer is only partial. */
  readonly finishReason: FinishReason | null
  readonly rawFinishReason: string | null
  readonly refusal?: string
  readonly model: string | null
  readonly requestId: string | null
  readonly route: string
}

/** Called once per part, synchronously and in order. Must not throw. */
export type PartSink = (part: StreamPart) => void

export type RunOptions = {
  /** Cancels the request; the final part is then `error` with `turn/cancelled`. */
  readonly signal?: AbortSignal
  /** Whose call it is, for the mitigation of aliases: the id of an API key. Default: one segment for all. */
  readonly segment?: string
}

/**
 * The narrow contract that protocols, retry, breaker and fallback all implement: it pushes parts into `emit`
 * and resolves after the last one. It pushes, since an async iterator per chunk costs more than parsing it.
 */
export type RunModel = (request: ModelRequest, emit: PartSink, options?: RunOptions) => Promise<void>

/** What users hold: `RunModel` as an async iterable and as a promise. */
export type Provider = {
  readonly run: RunModel
  /** Never throws for what an upstream did. Leaving the loop early cancels the request. */
  stream(request: ModelRequest, options?: RunOptions): AsyncIterable<StreamPart>
  /** Rejects with TurnkeeperError; `error.partial` keeps what had come. */
  complete(request: ModelRequest, options?: RunOptions): Promise<Answer>
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** All in milliseconds. */
export type Timeouts = {
  readonly connectMs: number
  /** From the sent request to the response headers. */
  readonly headersMs: number
  /** From the headers to the first content part, and then between any two content parts. */
  readonly firstContentMs: number
  /** The longest silence on the wire; a comment counts as a sign of life. */
  readonly idleMs: number
  readonly totalMs: number
}

/** All in bytes. */
export type Limits = {
  readonly bodyBytes: number
  readonly eventBytes: number
  readonly toolArgumentBytes: number
}
