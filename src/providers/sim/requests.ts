/** What the simulated upstream does with each HTTP request. */

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Control } from './control.ts'
import type { Fault } from './faults.ts'
import { type RequestLog, withoutSecrets } from './log.ts'
import { plan } from './planner/planner.ts'
import { openaiChat } from './protocols/openai-chat.ts'
import { seededRandom, seedOf } from './random.ts'
import { deliver, jsonReply, streamReply } from './reply.ts'
import type { Reply, SimProtocol, SimRequest, Stamp, UpstreamError } from './types.ts'

export type SimState = {
  readonly control: Control
  readonly log: RequestLog
  readonly seed: number
  readonly now: () => number
}

/** What a request gets, and what the log says about it. */
type Outcome = {
  readonly reply: Reply
  readonly model: string | null
  readonly stream: boolean
  readonly fault: string | null
}

const PROTOCOLS: readonly SimProtocol[] = [openaiChat]

/** The models that `GET /v1/models` names; any other name works as well. */
const MODELS = ['sim-large', 'sim-small', 'sim-reasoning'] as const

const CONTEXT_TOKENS = 128_000

/** The listener of one simulated upstream. */
export function createRequestListener(state: SimState): RequestListener {
  let requests = 0
  return (request, response) => {
    requests += 1
    respond(request, response, { state, requestId: `req-sim-${state.seed}-${requests}` }).catch(
      (error: unknown) => {
        // Only a defect of ours comes here; the client sees a closed socket, the operator the stack.
        console.error(error)
        response.destroy()
      },
    )
  }
}

type Serving = { readonly state: SimState; readonly requestId: string }

async function respond(request: IncomingMessage, response: ServerResponse, serving: Serving): Promise<void> {
  const path = (request.url ?? '/').split('?')[0] ?? '/'
  const body = await readBody(request)
  if (body === undefined) return
  const operation = `${request.method} ${path}`
  const protocol = PROTOCOLS.find((candidate) => operation === `POST ${candidate.path}`)
  if (protocol === undefined && operation !== 'GET /v1/models') {
    await deliver(response, administration(operation, body, serving.state))
    return
  }
  const { state, requestId } = serving
  const outcome = protocol === undefined ? modelList(state) : answer(protocol, body, serving)
  const write = state.log.open({
    at: state.now(),
    endedAt: null,
    requestId,
    path,
    protocol: protocol?.name ?? 'models',
    model: outcome.model,
    stream: outcome.stream,
    fault: outcome.fault,
    status: outcome.reply.status,
    bytes: 0,
    aborted: false,
    headers: withoutSecrets(request.headers),
  })
  const reply = { ...outcome.reply, headers: { ...outcome.reply.headers, 'x-request-id': requestId } }
  const { aborted, bytes } = await deliver(response, reply)
  write({ aborted, bytes, endedAt: state.now() })
}

function administration(operation: string, body: string, { control, log }: SimState): Reply {
  switch (operation) {
    case 'POST /_control': {
      const result = control.add(parseJson(body))
      return result.type === 'ok'
        ? jsonReply(200, { ok: true })
        : jsonReply(400, openaiChat.error(invalid(result.problem)))
    }
    case 'DELETE /_control':
      control.clear()
      return jsonReply(200, { ok: true })
    case 'GET /_log':
      return jsonReply(200, { requests: log.entries() })
    default: {
      const known = [...PROTOCOLS.map(({ path }) => `POST ${path}`), 'GET /v1/models', 'POST /_control']
      const message = `nothing at ${operation}: known are ${[...known, 'DELETE /_control', 'GET /_log'].join(', ')}`
      return jsonReply(404, openaiChat.error({ status: 404, type: 'not_found_error', message }))
    }
  }
}

function modelList({ now }: SimState): Outcome {
  const created = Math.floor(now() / 1000)
  const data = MODELS.map((id) => ({
    id,
    object: 'model',
    created,
    owned_by: 'turnkeeper-sim',
    context_length: CONTEXT_TOKENS,
  }))
  return { reply: jsonReply(200, { object: 'list', data }), model: null, stream: false, fault: null }
}

function answer(protocol: SimProtocol, body: string, serving: Serving): Outcome {
  const decoded = protocol.decode(parseJson(body))
  if (decoded.type === 'refused') return refusal(protocol, decoded.error)
  const { request } = decoded
  const { model, stream } = request
  const chosen = serving.state.control.choose(model)
  if (chosen.type === 'refused')
    return { ...refusal(protocol, invalid(chosen.problem, 'model')), model, stream }
  const healthy = healthyReply(protocol, request, serving)
  if (chosen.type === 'healthy') return { reply: healthy, model, stream, fault: null }
  const reply = sicken(chosen.fault, healthy, { protocol, request, serving })
  return { reply, model, stream, fault: chosen.fault.spec }
}

function healthyReply(protocol: SimProtocol, request: SimRequest, { state, requestId }: Serving): Reply {
  const said = plan(request, { seed: state.seed })
  const stamp: Stamp = { id: `chatcmpl-${requestId}`, model: request.model, createdMs: state.now() }
  return request.stream
    ? streamReply(protocol.streamContentType, protocol.events(said, stamp, request))
    : jsonReply(200, protocol.json(said, stamp))
}

function sicken(
  fault: Fault,
  healthy: Reply,
  { protocol, request, serving }: { protocol: SimProtocol; request: SimRequest; serving: Serving },
): Reply {
  const random = seededRandom(seedOf([serving.state.seed, serving.requestId]))
  return fault.apply(healthy, { protocol, stream: request.stream, random })
}

function refusal(protocol: SimProtocol, error: UpstreamError): Outcome {
  return { reply: jsonReply(error.status, protocol.error(error)), model: null, stream: false, fault: null }
}

function invalid(message: string, param?: string): UpstreamError {
  const error = { status: 400, type: 'invalid_request_error', message }
  return param === undefined ? error : { ...error, param }
}

/** The body as text; undefined if the client left while sending it. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  try {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer) // no encoding is set: it gives buffers
    return Buffer.concat(chunks).toString('utf8')
  } catch {
    return undefined
  }
}

/** What is not JSON becomes undefined, which every schema refuses. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
