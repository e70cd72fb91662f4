/** What the simulated upstream does with each HTTP request. */

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Stamp, WireError } from '../encoders/encoder.ts'
import type { Control } from './control.ts'
import type { Fault } from './faults.ts'
import { type RequestLog, withoutSecrets } from './log.ts'
import { anthropicModels, ollamaModels, openaiModels } from './models.ts'
import { plan } from './planner/planner.ts'
import { streamContentType, toAnswer, toChunks } from './protocols/answers.ts'
import { openaiChat, PROTOCOLS } from './protocols/protocols.ts'
import { seededRandom, seedOf } from './random.ts'
import { deliver, jsonReply, streamReply } from './reply.ts'
import type { Reply, SimProtocol, SimRequest } from './types.ts'

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

/** Where the model lists are, beside the protocols. */
const LISTS = ['GET /v1/models', 'GET /api/tags'] as const

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
  const list = protocol === undefined ? modelList(operation, request, serving.state) : undefined
  const outcome = protocol === undefined ? list : answer(protocol, body, serving)
  if (outcome === undefined) {
    await deliver(response, administration(operation, body, serving.state))
    return
  }
  const { state, requestId } = serving
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
  const idHeader = protocol?.requestIdHeader ?? 'x-request-id'
  const reply = { ...outcome.reply, headers: { ...outcome.reply.headers, [idHeader]: requestId } }
  const { aborted, bytes } = await deliver(response, reply)
  write({ aborted, bytes, endedAt: state.now() })
}

function administration(operation: string, body: string, { control, log }: SimState): Reply {
  switch (operation) {
    case 'POST /_control': {
      const result = control.add(parseJson(body))
      return result.type === 'ok'
        ? jsonReply(200, { ok: true })
        : jsonReply(400, openaiChat.encoder.errorBody(invalid(result.problem)))
    }
    case 'DELETE /_control':
      control.clear()
      return jsonReply(200, { ok: true })
    case 'GET /_log':
      return jsonReply(200, { requests: log.entries() })
    default: {
      const known = [...PROTOCOLS.map(({ path }) => `POST ${path}`), ...LISTS, 'POST /_control']
      const message = `nothing at ${operation}: known are ${[...known, 'DELETE /_control', 'GET /_log'].join(', ')}`
      return jsonReply(404, openaiChat.encoder.errorBody({ status: 404, type: 'not_found_error', message }))
    }
  }
}

/** The list that `operation` asks for; undefined if it is no list. */
function modelList(operation: string, { headers }: IncomingMessage, { now }: SimState): Outcome | undefined {
  const isAnthropic = headers['anthropic-version'] !== undefined
  const list = (body: unknown): Outcome => ({
    reply: jsonReply(200, body),
    model: null,
    stream: false,
    fault: null,
  })
  switch (operation) {
    case 'GET /v1/models':
      return list(isAnthropic ? anthropicModels(now()) : openaiModels(now()))
    case 'GET /api/tags':
      return list(ollamaModels(now()))
    default:
      return undefined
  }
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

function healthyReply(protocol: SimProtocol, request: SimRequest, serving: Serving): Reply {
  const said = plan(request, { seed: serving.state.seed })
  const stamp = stampOf(request, serving)
  return request.stream
    ? streamReply(streamContentType(protocol), toChunks(said, protocol, { stamp, request }))
    : jsonReply(200, protocol.encoder.body(toAnswer(said, request), stamp))
}

function stampOf({ model }: SimRequest, { state, requestId }: Serving): Stamp {
  return { id: requestId, model, createdMs: state.now() }
}

function sicken(
  fault: Fault,
  healthy: Reply,
  { protocol, request, serving }: { protocol: SimProtocol; request: SimRequest; serving: Serving },
): Reply {
  const random = seededRandom(seedOf([serving.state.seed, serving.requestId]))
  const stamp = stampOf(request, serving)
  return fault.apply(healthy, { protocol, stream: request.stream, random, stamp })
}

function refusal(protocol: SimProtocol, error: WireError): Outcome {
  return {
    reply: jsonReply(error.status, protocol.encoder.errorBody(error)),
    model: null,
    stream: false,
    fault: null,
  }
}

function invalid(message: string, param?: string): WireError {
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
