/**
 * The simulated upstream: a real HTTP server that speaks the protocols of the vendors, thinks with a small
 * deterministic planner, and misbehaves on demand.
 *
 * Model `<any>` behaves; `<any>+<fault>[:arg]` misbehaves; `POST /_control` makes other models misbehave.
 */

import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { TurnkeeperError } from '../../errors.ts'
import { type Certificate, selfSignedCertificate } from './certificate.ts'
import { type ControlRule, createControl } from './control.ts'
import { createLog, type LoggedRequest } from './log.ts'
import { seededRandom } from './random.ts'
import { createRequestListener } from './requests.ts'

export type SimOptions = {
  /** Default 0: any free port. */
  readonly port?: number
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Decides the wording of answers, the ids of tool calls and the shares of faults. Default 1. */
  readonly seed?: number
  /** HTTPS, with this certificate or (`true`) with a self-signed one made by openssl. Default off. */
  readonly tls?: boolean | Certificate
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number
}

/** A running simulated upstream. */
export type Sim = {
  /** Without a path: the base URL of an OpenAI-style client is `${url}/v1`. */
  readonly url: string
  readonly port: number
  /** The certificate that a client has to trust, in PEM; null without TLS. */
  readonly certificate: string | null
  /** Makes a model (`*`: every model) misbehave. Throws `invalid_parameter` for a fault that does not exist. */
  control(rule: ControlRule): void
  /** Ends every rule. */
  clear(): void
  /** The requests so far, oldest first; the newest 10,000 are kept. */
  log(): readonly LoggedRequest[]
  /** Stops at once: open connections are destroyed. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Starts a simulated upstream. Rejects with `port_in_use`, or `invalid_config` for TLS without openssl. */
export async function createSim(options: SimOptions = {}): Promise<Sim> {
  const { port = 0, host = '127.0.0.1', seed = 1, tls = false, now = Date.now } = options
  const certificate = tls === true ? await selfSignedCertificate() : tls || null
  const control = createControl({ random: seededRandom(seed), now })
  const log = createLog()
  const server = createServer(certificate, createRequestListener({ control, log, seed, now }))
  await listen(server, { port, host })
  const address = server.address() as AddressInfo // a listening TCP server has no other kind of address
  const close = () => closeServer(server)
  return {
    url: `${certificate === null ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    port: address.port,
    certificate: certificate?.cert ?? null,
    control(rule) {
      const result = control.add(rule)
      if (result.type === 'refused') throw new TurnkeeperError('invalid_parameter', result.problem)
    },
    clear: control.clear,
    log: log.entries,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Idle connections live long, so that a reset is always a fault that somebody asked for. */
const KEEP_ALIVE_MS = 120_000

function createServer(certificate: Certificate | null, listener: RequestListener): Server {
  const options = { keepAliveTimeout: KEEP_ALIVE_MS }
  return certificate === null
    ? createHttpServer(options, listener)
    : createHttpsServer({ ...options, key: certificate.key, cert: certificate.cert }, listener)
}

function listen(server: Server, { port, host }: { port: number; host: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EADDRINUSE') return reject(cause)
      const message = `port ${port} of ${host} is taken: choose another with --port, or 0 for any free one`
      reject(new TurnkeeperError('port_in_use', message, { cause }))
    })
    server.listen(port, host, resolve)
  })
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
