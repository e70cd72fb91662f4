import { Writable } from 'node:stream'
import { loadConfig } from '../../src/config/load.ts'
import { type Gateway, type GatewayOptions, startGateway } from '../../src/gateway/gateway.ts'

export type TestGateway = {
  readonly gateway: Gateway
  /** What it has logged. */
  log(): string
}

/** A gateway on any free port, quiet. */
export async function openGateway(
  redisUrl: string,
  prefix: string,
  {
    port = 0,
    queue = {},
    server = {},
    more = {},
    ...options
  }: GatewayOptions & {
    readonly port?: number
    readonly queue?: object
    readonly server?: object
    readonly more?: object
  } = {},
): Promise<TestGateway> {
  const config = await loadConfig({
    redis: { url: redisUrl, prefix, durability: 'none' },
    server: { port, ...server },
    metrics: { port: 0 },
    queue,
    ...more,
  })
  let logged = ''
  const logStream = new Writable({
    write(chunk, _encoding, done) {
      logged += String(chunk)
      done()
    },
  })
  return { gateway: await startGateway(config, { ...options, logStream }), log: () => logged }
}

/** Posts JSON and reads the JSON answer. */
export async function post(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return {
    status: response.status,
    body: (await response.json()) as Record<string, unknown>,
    headers: response.headers,
  }
}
