import { parseConfig } from '../../src/config/load.ts'

/** What each key means; a key without a line here fails the generation, and so does a line without a key. */
const MEANING: Readonly<Record<string, string>> = {
  'redis.url': 'address; without one `REDIS_URL`, else an embedded server of this folder',
  'redis.prefix': 'of all keys',
  'redis.durability':
    'what writes must outlive: `none` nothing, `aof` (an append-only file) a restart, `always` a loss of power',
  'redis.replicas': 'with `durability: always`, replicas that must have a write before it counts',
  'redis.dataDir': 'where an embedded server keeps its files',
  'server.host': 'of the HTTP face; without `apiKeys` loopback alone',
  'server.port': 'of the HTTP face; 0 lets the system choose',
  'server.alertToken':
    'bearer token of `POST /v1/mitigations`, at least 16 characters; without one nobody may ask for a [mitigation](mitigation.md)',
  'server.anonymous': 'what needs no key, where there are keys: `health`, `routes`',
  'server.apiKeys':
    'list of `{ id, sha256, tenant, prefixes, models, admin, requestsPerMinute, budgetUsdPerDay }`: keys by their SHA-256 (of `sha256sum`, without a line end); `tenant` of the turns that it enqueues and sees, `prefixes` of models that are no aliases (default any), `models` as patterns (default `*`), `admin` sees and decides everything, `requestsPerMinute` and `budgetUsdPerDay` are limits of the key over all gateways (a turn costs when it has ended; then 429 until the next minute, or day in UTC); without any key all is open, on loopback',
  'metrics.host': 'of the page for Prometheus',
  'metrics.port': 'of that page; taken and not set here: the next free one',
  'providers.*.protocol': 'wire format: openai-chat, openai-responses, anthropic, ollama, llamacpp-cli',
  'providers.*.dialect': 'what the vendor does differently; rows in [providers.md](providers.md)',
  'providers.*.enabled': '`false` takes all its routes away',
  'providers.*.baseUrl': "what the vendor's own SDK takes",
  'providers.*.command.binary': 'for llamacpp-cli, instead of a base URL: the program',
  'providers.*.command.args': 'further arguments of that program, one a list item',
  'providers.*.command.modelsDir': 'folder of the model files that its routes name',
  'providers.*.credentials':
    'list of `{ id, apiKey, weight }`, or `{ id, oauth: { tokenFile, tokenUrl, clientId } }`; one is chosen by weight, load and quota pressure',
  'providers.*.prefix':
    "what clients may write in the place of the provider's name; see [routing.md](routing.md)",
  'providers.*.models.include': 'patterns of the models that may be asked for; `*` stands for any text',
  'providers.*.models.exclude': 'patterns of models that are kept out, of aliases and lists too',
  'providers.*.concurrency':
    'requests that one process has under way at once; more go to a route that is as good, or wait for a place',
  'providers.*.http.version': '`"1.1"` or `"2"`',
  'providers.*.http.connections': 'most connections to the upstream',
  'providers.*.toolTurns.stream':
    'whether calls with tools stream: `auto` (only on routes shown safe), true, false',
  'providers.*.toolTurns.routes': 'the same for single routes, by model',
  'providers.*.jsonMode.fallback': 'a route that refuses JSON mode is asked again in plain form',
  'providers.*.parameters.unknown':
    '`reject` a parameter that the route does not take, or `warn` and leave it out',
  'providers.*.parameters.defaults.maxTokens': 'most tokens of an answer, where the call names none',
  'providers.*.images.allow': 'origins from which linked images are fetched by us and sent as bytes',
  'providers.*.timeouts.connectMs': 'until a connection stands',
  'providers.*.timeouts.headersMs': 'from the sent request to the response headers',
  'providers.*.timeouts.firstContentMs': 'to the first content, and between any two',
  'providers.*.timeouts.idleMs': 'the longest silence on the wire; after it the attempt is a stall',
  'providers.*.timeouts.totalMs': 'of one attempt',
  'providers.*.limits.bodyBytes': 'largest body',
  'providers.*.limits.eventBytes': 'largest event of a stream',
  'providers.*.limits.toolArgumentBytes': 'largest arguments of one tool call',
  'providers.*.limits.toolSchemaBytes': 'larger tool schemas are reported when a worker starts',
  'models.*.strategy':
    'order of the routes: `first_available` (whatever health says), `first_healthy`, `best_effort` (open ones last), `cheapest`, `fastest`',
  'models.*.routes':
    'list of `provider/model`, in the order of preference; neighbours written `{ route, weight }` share a place and split its traffic',
  'models.*.mitigation.fallback':
    'the alias to whose routes this one moves while its first route fails too often ([mitigation](mitigation.md)); without it never',
  'models.*.mitigation.warn': 'more failed attempts of the first route than this share are said',
  'models.*.mitigation.critical': 'more than this share move the alias',
  'models.*.mitigation.windowMs': 'in which attempts are counted',
  'models.*.mitigation.minAttempts':
    'attempts in the window below which nothing is concluded; also what each growing share is judged by',
  'models.*.mitigation.holdMs': 'how long the alias stays away before its traffic returns by shares',
  'breakers.html.over': 'HTML, binary or non-JSON answers in the window that are still borne',
  'breakers.html.windowMs': 'in which they are counted',
  'breakers.html.openMs': 'how long the first opening lasts; doubled at each failed probe',
  'breakers.html.maxMs': 'longest opening',
  'breakers.html.minRatio': 'share of the attempts that they must reach as well',
  'breakers.stall.over': 'stalls in the window that are still borne',
  'breakers.stall.windowMs': 'in which they are counted',
  'breakers.stall.openMs': 'how long the first opening lasts; doubled at each failed probe',
  'breakers.stall.maxMs': 'longest opening',
  'breakers.stall.minRatio': 'share of the attempts that they must reach as well',
  'breakers.errors.ratio': 'share of failed attempts at which a route opens',
  'breakers.errors.min': 'attempts in the window below which nothing is concluded',
  'breakers.errors.windowMs': 'in which they are counted',
  'breakers.errors.openMs': 'how long the first opening lasts; doubled at each failed probe',
  'breakers.errors.maxMs': 'longest opening',
  'breakers.errors.warn': 'share of failed attempts at which a route is degraded',
  'breakers.auth.over':
    'refusals of a credential (401, 403) in the window that are still borne; then it rests until its model list answers, tried after 1, 2, 4 … 15 min, or until the key changes',
  'breakers.auth.windowMs': 'in which they are counted; two refused credentials within it are an outage',
  'routing.forceModelPrefix':
    'models are named by an alias or with a prefix alone: bare model names lead nowhere, and a provider that has a prefix answers to that only',
  'routing.retries': 'second tries on the same route',
  'routing.maxAttempts': 'physical requests of one model call',
  'routing.backoff.baseMs': 'before the first retry; doubled for each further one, with full jitter',
  'routing.backoff.maxMs': 'longest wait before a retry, and for a place with a provider',
  'routing.retryBudget': 'further attempts of an alias as a share of its successes; three are always free',
  'routing.cooldown.defaultMs': 'how long a credential rests after a 429 that does not say',
  'routing.cooldown.maxMs': 'longest rest, whatever the upstream asks',
  'probes.enabled':
    'whether workers try out by themselves how routes can be asked ([probes.md](probes.md)); `turnkeeper probe` does in any case',
  'probes.ttlMs': 'how long what was found holds, by probes or by traffic',
  'probes.budgetUsdPerDay': 'what the probes of the whole fleet may cost a day (UTC); 0: none is sent',
  'queue.name': 'of the BullMQ queue',
  'queue.concurrency': 'turns that one worker runs at once',
  'queue.lockMs': 'how long a turn stays with a worker that gives no sign of life; the same for all workers',
  'queue.stalledCheckMs': 'how often lost turns are looked for; the same for all workers',
  'queue.maxQueueAgeMs': 'nothing is accepted while a turn that could start has waited longer',
  'queue.tenants.default.running': 'turns of a tenant that run at once; more of them wait',
  'queue.tenants.default.queued': 'turns of a tenant that wait; more of them are refused',
  'queue.resultTtlMs': 'how long an ended turn can be read',
  'queue.eventTtlMs': 'how long the events of an ended turn can be read',
  'recorder.dir': 'where the raw bytes of failed attempts are kept',
  'recorder.excerptBytes': 'of the decoded beginning of a body, kept in Redis',
  'recorder.rawBytes': 'of the body as it came, kept in a file',
  'recorder.keepMs': 'how long records are kept',
  'recorder.sample': 'share of the good attempts that are recorded too, 0 to 1',
  'recorder.request': 'whether what we sent is kept: `never`, or `failed` for failed attempts',
  'telemetry.otlpEndpoint': 'base URL of a collector (OTLP over HTTP); without one no traces',
  'telemetry.otlpMetrics':
    'metrics are sent there too, once a minute, under the names of the page for Prometheus',
  'telemetry.sampling': 'share of the traces that are kept, 0 to 1',
  'telemetry.captureContent':
    'whether prompts, answers, tool arguments and results stand in spans (16 KiB of each); never in logs and metrics',
  'telemetry.jsonl':
    'file to which workers and the HTTP face append how their routes stand, a line of JSON a route every 10 s',
  'telemetry.logLevel': 'debug, info, warn, error; `--log-level` on the command line wins',
  agents: 'module whose default export is the list of agents, relative to this file',
}

const MINIMAL = {
  providers: { '*': { protocol: 'openai-chat', baseUrl: 'http://localhost/v1' } },
  models: {
    '*': { routes: ['*/model'], mitigation: { fallback: 'other' } },
    other: { routes: ['*/other'] },
  },
}
/** Keys that have no default, or one that is not theirs alone. */
const WITHOUT_DEFAULT = new Set([
  'redis.url',
  'providers.*.protocol',
  'providers.*.baseUrl',
  'providers.*.credentials',
  'providers.*.prefix',
  'providers.*.concurrency',
  'providers.*.command.binary',
  'providers.*.command.args',
  'providers.*.command.modelsDir',
  'providers.*.toolTurns.routes',
  'models.*.routes',
  'models.*.mitigation.fallback',
  'server.alertToken',
  'telemetry.otlpEndpoint',
  'telemetry.jsonl',
  'agents',
])

/** `docs/configuration.md`: every key with its default, as the code has them. */
export function configurationPage(): string {
  const defaults = defaultsOf()
  const unknown = [...defaults.keys()].filter((path) => !(path in MEANING))
  const gone = Object.keys(MEANING).filter((path) => !defaults.has(path) && !WITHOUT_DEFAULT.has(path))
  if (unknown.length + gone.length > 0) {
    throw new Error(
      `configuration page: no meaning of ${unknown.join(', ') || '–'}; no key ${gone.join(', ') || '–'}`,
    )
  }
  const rows = Object.entries(MEANING).map(
    ([path, meaning]) => `| \`${keyOf(path)}\` | ${showDefault(path, defaults.get(path))} | ${meaning} |`,
  )
  return `# Configuration

Generated by \`npm run docs\` from the code. \`turnkeeper.config.yaml\`, or the file after \`--config\`; unknown keys are
refused with the nearest known one. \`\${NAME}\` and \`\${NAME:-default}\` are replaced in values. Durations are written
\`250ms\`, \`30s\`, \`10m\`, \`2h\`. Check a file with \`turnkeeper config check\`.

| key | default | meaning |
| --- | --- | --- |
${rows.join('\n')}
`
}

function defaultsOf(): Map<string, unknown> {
  const config = parseConfig(MINIMAL_WITH_NAMES, { env: {}, baseDir: '/' })
  const flat = new Map<string, unknown>()
  flatten(config, '', flat)
  return flat
}

/** A star is no name, so one stands in its place and is taken out again. */
const NAME = 'x'
const MINIMAL_WITH_NAMES = JSON.parse(JSON.stringify(MINIMAL).replaceAll('*', NAME)) as object
/** What resolving adds to what a user writes. */
const DERIVED = /\.(name|alias|explicit|provider|model|aliases)$/

function flatten(value: unknown, path: string, into: Map<string, unknown>): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    for (const [key, item] of Object.entries(value)) {
      if (path === 'models' && key !== NAME) continue
      const star = key === NAME && (path === 'providers' || path === 'models') ? '*' : key
      flatten(item, path === '' ? star : `${path}.${star}`, into)
    }
  } else if (!DERIVED.test(path) || path === 'queue.name') into.set(path, value)
}

/** Milliseconds inside are durations in the file. */
function keyOf(path: string): string {
  return path.replace(/Ms$/, '')
}

function showDefault(path: string, value: unknown): string {
  if (WITHOUT_DEFAULT.has(path)) return '–'
  if (path.endsWith('Ms') && typeof value === 'number') return `\`${duration(value)}\``
  const text = typeof value === 'string' ? value.replace(/^\//, '') : JSON.stringify(value)
  return `\`${text}\``
}

function duration(ms: number): string {
  for (const [unit, size] of [
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const) {
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`
  }
  return `${ms}ms`
}
