/** An upstream of the OpenAI kind that does not take every way of asking alike. */

import { type Cell, type CellName, cellName } from '../../../../src/providers/routing/probes/cells.ts'
import { chunk, completion, event, openStream, sendJson, serve } from '../../upstream-server.ts'

export type Quirk = 'truncates' | 'html' | 'refuses' | '500' | 'calls nothing'

export type Picky = AsyncDisposable & {
  readonly baseUrl: string
  /** How each request was asked, in order, and by its model. */
  asked(model?: string): readonly CellName[]
  /** What is wrong with a way of asking from now on; of all models, or of one. */
  set(quirks: Readonly<Record<CellName, Quirk>>): void
}

const USAGE = { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 }

/** Answers tools with calls and JSON with JSON, until it is told otherwise. */
export async function startPicky(): Promise<Picky> {
  let quirks: Readonly<Record<CellName, Quirk>> = {}
  const upstream = await serve((response) => {
    const { url = '', body: sent = '' } = upstream.requests.at(-1) ?? {}
    if (!url.endsWith('/chat/completions')) return sendJson(response, { data: [{ id: 'm' }] })
    const body = JSON.parse(sent) as Body
    const cell = cellOfBody(body)
    const quirk = quirks[cellName(cell)]
    if (quirk === 'refuses') {
      const message = cell.format === 'text' ? 'tools are not supported' : 'response_format is not supported'
      return sendJson(response, { error: { message, type: 'invalid_request_error' } }, 400)
    }
    if (quirk === '500') return sendJson(response, { error: { message: 'oh', type: 'server_error' } }, 500)
    if (quirk === 'html')
      return void response.writeHead(200, { 'content-type': 'text/html' }).end('<html></html>')
    const call = {
      id: 'c1',
      type: 'function',
      function: { name: cell.tools ? 'turnkeeper_noop' : '', arguments: '{"note":"probe"}' },
    }
    const isAnswered = body.messages?.some(({ role }) => role === 'tool') === true
    const isCalling = cell.tools && !isAnswered && quirk !== 'calls nothing'
    const said = isCalling
      ? { tool_calls: [call] }
      : { content: cell.format === 'text' ? 'OK' : '{"ok":true}' }
    const finish = isCalling ? 'tool_calls' : 'stop'
    if (!cell.stream)
      return sendJson(response, { ...completion({ role: 'assistant', ...said }, finish), usage: USAGE })
    openStream(response)
    response.write(chunk(isCalling ? { tool_calls: [{ index: 0, ...call }] } : said))
    if (quirk === 'truncates') return void response.end()
    response.write(chunk({}, finish))
    response.write(event({ id: 'c1', model: 'm', choices: [], usage: USAGE }))
    response.end(event('[DONE]'))
  })
  return {
    baseUrl: upstream.baseUrl,
    asked: (model) =>
      upstream.requests
        .filter(({ url }) => url.endsWith('/chat/completions'))
        .map(({ body }) => JSON.parse(body) as Body)
        .filter((body) => model === undefined || body.model === model)
        .map((body) => cellName(cellOfBody(body))),
    set(next) {
      quirks = next
    },
    [Symbol.asyncDispose]: () => upstream[Symbol.asyncDispose](),
  }
}

type Body = {
  readonly model?: string
  readonly stream?: boolean
  readonly messages?: readonly { readonly role: string }[]
  readonly tools?: readonly unknown[]
  readonly response_format?: { readonly type: 'json_object' | 'json_schema' }
}

function cellOfBody({ stream = false, tools = [], response_format }: Body): Cell {
  const type = response_format?.type
  return { stream, tools: tools.length > 0, format: type === 'json_object' ? 'json' : (type ?? 'text') }
}
