import type { Config } from './config.ts'

/** What `config check` shows: names and counts, nothing secret. */
export type ConfigDescription = {
  readonly redis: { readonly url: string; readonly prefix: string; readonly durability: string }
  readonly server: string
  readonly metrics: string
  readonly queue: { readonly name: string; readonly concurrency: number }
  readonly providers: readonly {
    readonly name: string
    readonly protocol: string
    readonly dialect: string
    readonly enabled: boolean
    /** Null for a provider that is a local command. */
    readonly baseUrl: string | null
    /** The program that is run; null for a provider that is reached over HTTP. */
    readonly command: string | null
    readonly credentials: readonly string[]
  }[]
  readonly models: readonly {
    readonly alias: string
    readonly strategy: string
    readonly routes: readonly string[]
  }[]
  readonly traces: boolean
  readonly agents: string | null
}

/** A configuration as plain data that may be printed: credentials by their ids, URLs without passwords. */
export function describeConfig(config: Config): ConfigDescription {
  const { redis, server, metrics, queue, providers, models, telemetry, agents } = config
  return {
    redis: {
      url: redis.url === undefined ? 'embedded' : urlWithoutSecrets(redis.url),
      prefix: redis.prefix,
      durability: redis.durability,
    },
    server: `${server.host}:${server.port}`,
    metrics: `${metrics.host}:${metrics.port}`,
    queue: { name: queue.name, concurrency: queue.concurrency },
    providers: Object.values(providers).map((provider) => {
      const { name, protocol, dialect, enabled, baseUrl = null, command, credentials } = provider
      return {
        ...{ name, protocol, dialect, enabled, baseUrl },
        command: command?.binary ?? null,
        credentials: credentials.map(({ id }) => id),
      }
    }),
    models: Object.values(models).map(({ alias, strategy, routes }) => ({
      alias,
      strategy,
      routes: routes.map((route) => route.name),
    })),
    traces: telemetry.otlpEndpoint !== undefined,
    agents: agents ?? null,
  }
}

/** The same in lines for people. */
export function describeConfigText(description: ConfigDescription): string {
  const { redis, server, metrics, queue, providers, models, traces, agents } = description
  return [
    `redis      ${redis.url} (prefix ${redis.prefix})`,
    `server     ${server}`,
    `metrics    ${metrics}`,
    `queue      ${queue.name}, ${queue.concurrency} turns a worker`,
    `traces     ${traces ? 'on' : 'off'}`,
    `agents     ${agents ?? 'none'}`,
    `providers  ${providers.length}`,
    ...providers.map(({ name, protocol, dialect, enabled, baseUrl, command, credentials }) =>
      [
        `  ${name}  ${protocol} (${dialect})  ${baseUrl ?? command}  key: ${credentials.join(', ') || 'none'}`,
        enabled ? '' : '  disabled',
      ].join(''),
    ),
    `models     ${models.length}`,
    ...models.map(({ alias, strategy, routes }) => `  ${alias}  ${strategy}: ${routes.join(' → ')}`),
  ].join('\n')
}

/** A URL whose user, password and query are gone; the path of a socket as it is. */
export function urlWithoutSecrets(text: string): string {
  if (text.startsWith('/')) return text
  const url = URL.parse(withOneHost(text))
  if (url === null) return '[not a URL]'
  const { protocol, host, pathname } = url
  const hosts = MANY_HOSTS.exec(text)?.[2] ?? host
  return `${protocol}//${url.username === '' && url.password === '' ? '' : '***@'}${hosts}${pathname}`
}

/** The address of a cluster or of sentinels; the second part is the list of servers. */
const MANY_HOSTS = /^([a-z+]+:\/\/(?:[^@/]*@)?)([^@/?]*,[^@/?]*)/

/** The same as a URL, which has one host. */
function withOneHost(text: string): string {
  return text.replace(MANY_HOSTS, '$1many-hosts')
}

/** Every secret value of a configuration, for the redaction of logs; never to be printed. */
export function secretValues({ redis, server, providers, telemetry }: Config): readonly string[] {
  const keys = Object.values(providers).flatMap(({ credentials }) =>
    credentials.flatMap((credential) => ('apiKey' in credential ? [credential.apiKey.reveal()] : [])),
  )
  const tokens = server.alertToken === undefined ? [] : [server.alertToken.reveal()]
  return [...keys, ...tokens, ...[redis.url, telemetry.otlpEndpoint].flatMap(passwordsIn)]
}

/** The password of a URL as it is written and as it is meant. */
function passwordsIn(text: string | undefined): readonly string[] {
  const password = text === undefined ? '' : (URL.parse(withOneHost(text))?.password ?? '')
  if (password === '') return []
  try {
    return [password, decodeURIComponent(password)]
  } catch {
    return [password] // a bare % in it: then it is meant as it is written
  }
}
