import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { TurnkeeperError } from '../../errors.ts'

/** What `/health` answers: an HTTP status and a JSON body. */
export type Health = () => { readonly status: number; readonly body: object }

export type MetricsAddress = {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  /** True: this port or `config/port_in_use`; false: the next free one. */
  readonly explicit: boolean
}

export type MetricsServer = {
  /** Of the page, with the port that it got. */
  readonly url: string
  readonly port: number
  close(): Promise<void>
}

const PORTS_TRIED = 51
const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8'

/**
 * Serves `/metrics` and, where given, `/health`. Does not keep the process alive. Throws `config/port_in_use`
 * when an explicit port, or a whole row of 51, is taken.
 */
export async function serveMetrics(
  address: MetricsAddress,
  { page, health }: { readonly page: () => string; readonly health?: Health },
): Promise<MetricsServer> {
  const server = await listenOnFreePort(answer(page, health), address)
  server.unref()
  const { port } = server.address() as AddressInfo // it listens on TCP, so this is neither null nor a path
  return { url: `http://${hostInUrl(address.host)}:${port}/metrics`, port, close: () => closeServer(server) }
}

const answer =
  (page: () => string, health?: Health): RequestListener =>
  (request, response) => {
    const path = request.url?.split('?', 1)[0]
    if (path === '/metrics') {
      const text = textOf(page)
      response.writeHead(text === undefined ? 500 : 200, { 'content-type': PROMETHEUS_TEXT }).end(text ?? '')
    } else if (path === '/health' && health !== undefined) {
      const { status, body } = health()
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    } else {
      response.writeHead(404).end()
    }
  }

/** A page that fails is a scrape that fails, which Prometheus tells; the process goes on. */
function textOf(page: () => string): string | undefined {
  try {
    return page()
  } catch {
    return undefined
  }
}

async function listenOnFreePort(
  listener: RequestListener,
  { host, port, explicit }: MetricsAddress,
): Promise<Server> {
  const last = explicit || port === 0 ? port : Math.min(port + PORTS_TRIED - 1, 65_535)
  for (let candidate = port; candidate <= last; candidate += 1) {
    const server = createServer(listener)
    try {
      await listen(server, candidate, host)
      return server
    } catch (error) {
      if (!isTaken(error)) throw unusable(host, candidate, error)
    }
  }
  const which = explicit ? `port ${port}` : `every port from ${port} to ${last}`
  throw new TurnkeeperError(
    'port_in_use',
    `metrics: ${which} on ${host} is taken; stop the other program or set another metrics.port`,
  )
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
}

function unusable(host: string, port: number, cause: unknown): TurnkeeperError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
  const message = `metrics: cannot listen on ${host} port ${port} (${code}); set metrics.host to an address of this machine and metrics.port to a port you may use`
  return new TurnkeeperError('invalid_config', message, { cause })
}

/** An address to be reached at: "all interfaces" is none. */
function hostInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
