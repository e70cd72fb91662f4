import { type FastifyInstance, fastify } from 'fastify'
import type { Address, ServerConfig } from '../config/config.ts'
import { TurnkeeperError } from '../errors.ts'
import type { ProviderRuntime } from '../providers/runtime.ts'
import type { TurnClient } from '../queue/client/client.ts'
import type { Log } from '../telemetry/telemetry.ts'
import { type Caller, callersOf } from './callers.ts'
import { errorToResponse } from './error-response.ts'
import type { RedisHealth } from './health.ts'
import type { Limits } from './limits.ts'
import { requireLocalHost } from './local-host.ts'
import { addMitigationRoute, type MitigationParts } from './mitigations.ts'
import { addRouteRoutes } from './routes.ts'
import { addTurnRoutes } from './turns.ts'

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller
  }
}

/** What the routes work on. */
export type ServerParts = {
  /** What the server listens on, and who may ask it what. */
  readonly server: ServerConfig
  readonly client: TurnClient
  readonly models: ProviderRuntime
  readonly readRedis: () => Promise<RedisHealth>
  readonly mitigation: MitigationParts
  readonly limits: Limits
  readonly log: Log
  readonly heartbeatMs: number
  /** Aborts when the server is about to close: event streams end then. */
  readonly closing: AbortSignal
}

const BODY_BYTES = 2 * 1024 * 1024
/** A turn id holds a session and a tenant of 128 characters each, escaped in the URL. */
const PATH_PART_CHARACTERS = 1024
/** For receiving a request, not for answering it. */
const REQUEST_MS = 60_000
/** A client that does not take its answer is left behind after this. */
const CLOSE_MS = 5_000

/** The routes on a server that does not listen yet. */
export function createServer(parts: ServerParts): FastifyInstance {
  const app = fastify({
    bodyLimit: BODY_BYTES,
    requestTimeout: REQUEST_MS,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: PATH_PART_CHARACTERS },
  })
  // JSON alone: a page on another site can send plain text without asking first, but not JSON (CORS preflight).
  app.removeContentTypeParser('text/plain')
  guard(app, parts)
  app.setErrorHandler((error, request, reply) => {
    const { status, headers, body, isOurFault } = errorToResponse(error)
    if (isOurFault) {
      const path = request.routeOptions.url ?? 'unknown'
      parts.log.error({ err: error, method: request.method, path }, 'a request failed')
    }
    return reply.status(status).headers(headers).send(body)
  })
  app.setNotFoundHandler(({ method, url }) => {
    const path = url.split('?', 1)[0]?.slice(0, 200)
    throw new TurnkeeperError('invalid_request', `there is no ${method} ${path} here`, { status: 404 })
  })
  app.get('/health', async (_request, reply) => {
    const redis = await parts.readRedis()
    return reply
      .status(redis.ok ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({ status: redis.ok ? 'ok' : 'degraded', redis })
  })
  addTurnRoutes(app, parts)
  addRouteRoutes(app, parts)
  addMitigationRoute(app, parts.mitigation)
  return app
}

/** Sets `request.caller`, or refuses a request whose sender is not known. */
function guard(app: FastifyInstance, { server, models, limits }: ServerParts): void {
  const isAlias = (name: string): boolean => models.routes().some(({ aliases }) => aliases.includes(name))
  const identify = callersOf(server, isAlias)
  app.decorateRequest('caller')
  app.addHook('onRequest', async (request, reply) => {
    // A rebound page has no key, so with keys any name will do.
    if (server.apiKeys.length === 0) requireLocalHost(request.headers.host, server.host)
    reply.header('www-authenticate', 'Bearer')
    request.caller = identify(request.headers, request.routeOptions.url)
    reply.removeHeader('www-authenticate')
    await limits.takeRequest(request.caller.key)
  })
  app.addHook<{ Params: { id?: string } }>('preHandler', async ({ caller, params }) => {
    if (params?.id !== undefined) caller.requireTurn(params.id)
  })
}

/**
 * Listens, and tells the URL.
 * @throws TurnkeeperError `config/port_in_use`, or `config/invalid_config` for an address that is not ours.
 */
export async function listen(app: FastifyInstance, { host, port }: Address): Promise<string> {
  try {
    await app.listen({ host, port })
  } catch (cause) {
    throw unusable({ host, port }, cause)
  }
  const bound = app.server.address()
  const boundPort = typeof bound === 'object' && bound !== null ? bound.port : port
  return `http://${host.includes(':') ? `[${host}]` : host}:${boundPort}`
}

/** Takes no new request, lets the ones under way end, and resolves when all connections are closed. */
export async function closeServer(app: FastifyInstance): Promise<void> {
  const patience = setTimeout(() => app.server.closeAllConnections(), CLOSE_MS)
  try {
    await app.close()
  } finally {
    clearTimeout(patience)
  }
}

function unusable({ host, port }: Address, cause: unknown): TurnkeeperError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
  if (code === 'EADDRINUSE') {
    const message = `port ${port} on ${host} is taken: stop the other program or set another server.port`
    return new TurnkeeperError('port_in_use', message, { cause })
  }
  const message = `cannot listen on ${host} port ${port} (${code}): set server.host to an address of this machine and server.port to a port you may use`
  return new TurnkeeperError('invalid_config', message, { cause })
}
