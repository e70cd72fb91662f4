/** The answers of the mock, built once: what it sends costs it a lookup and a write. */

/** Events of a stream; each is a chunk of HTTP and about 256 bytes. */
export const EVENTS = 200

const DELTA = 'sixteen letters.'
/** The text of every answer, streamed or not: 3.2 KB in pieces of 16 signs, or 1 KB whole. */
export const STREAM_TEXT_CHARS = EVENTS * DELTA.length
export const JSON_TEXT_CHARS = 1024

const USAGE = { prompt_tokens: 120, completion_tokens: 200, total_tokens: 320 }
const ID = 'chatcmpl-0123456789abcdef0123456789abcdef'
const SHARED = {
  id: ID,
  created: 1_700_000_000,
  model: 'bench-model',
  system_fingerprint: 'fp_0123456789',
  service_tier: 'default',
}

/** A whole answer of OpenAI's chat API. */
export const CHAT_JSON = json(chat({ role: 'assistant', content: 'x'.repeat(JSON_TEXT_CHARS) }, 'stop'))

/** One that calls a tool. */
export const CHAT_TOOL_CALL = json(
  chat(
    {
      role: 'assistant',
      content: null,
      tool_calls: [
        {
          id: 'call_0123456789abcdef01234567',
          type: 'function',
          function: { name: 'weather', arguments: '{"city":"Prague","unit":"celsius"}' },
        },
      ],
    },
    'tool_calls',
  ),
)

/** Events of OpenAI's chat API, the end marker among them. */
export const CHAT_EVENTS: readonly string[] = [
  chatEvent({ role: 'assistant', content: '' }),
  ...Array.from({ length: EVENTS }, () => chatEvent({ content: DELTA })),
  chatEvent({}, 'stop'),
  `data: ${JSON.stringify({ ...SHARED, object: 'chat.completion.chunk', choices: [], usage: USAGE })}\n\n`,
  'data: [DONE]\n\n',
]

const MESSAGE = {
  id: 'msg_0123456789abcdef01234567',
  type: 'message',
  role: 'assistant',
  model: 'bench-model',
  stop_sequence: null,
}

/** A whole answer of Anthropic's API. */
export const MESSAGE_JSON = json({
  ...MESSAGE,
  content: [{ type: 'text', text: 'x'.repeat(JSON_TEXT_CHARS) }],
  stop_reason: 'end_turn',
  usage: { input_tokens: 120, output_tokens: 200 },
})

/** Events of Anthropic's API: shorter than OpenAI's, which flatters who reads them. */
export const MESSAGE_EVENTS: readonly string[] = [
  messageEvent('message_start', {
    message: { ...MESSAGE, content: [], stop_reason: null, usage: { input_tokens: 120, output_tokens: 1 } },
  }),
  messageEvent('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
  ...Array.from({ length: EVENTS }, () =>
    messageEvent('content_block_delta', { index: 0, delta: { type: 'text_delta', text: DELTA } }),
  ),
  messageEvent('content_block_stop', { index: 0 }),
  messageEvent('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 200 } }),
  messageEvent('message_stop', {}),
]

/** Every event as one chunk of HTTP, as vendors send them. */
export function toHttpChunks(events: readonly string[]): readonly Buffer[] {
  return events.map((event) => Buffer.from(`${Buffer.byteLength(event).toString(16)}\r\n${event}\r\n`))
}

export const STREAM_HEAD = Buffer.from(
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: req_bench\r\ntransfer-encoding: chunked\r\n\r\n',
)
export const STREAM_END = Buffer.from('0\r\n\r\n')

function json(body: unknown): Buffer {
  const text = JSON.stringify(body)
  const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_bench\r\ncontent-length: ${text.length}\r\n\r\n`
  return Buffer.from(head + text)
}

function chat(message: object, finish_reason: string): object {
  const choices = [{ index: 0, message, logprobs: null, finish_reason }]
  return { ...SHARED, object: 'chat.completion', choices, usage: USAGE }
}

function chatEvent(delta: object, finish_reason: string | null = null): string {
  const choices = [{ index: 0, delta, logprobs: null, finish_reason }]
  return `data: ${JSON.stringify({ ...SHARED, object: 'chat.completion.chunk', choices })}\n\n`
}

function messageEvent(type: string, fields: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`
}
