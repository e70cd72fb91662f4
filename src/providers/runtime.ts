/**
 * The provider runtime: the configured aliases as one model to call.
 *
 * opening ──breakers read──▶ running ──close──▶ closed
 *
 * R1. Calls under way when it closes are not cancelled: their callers hold the signals.
 * R2. What was given (a connection, telemetry) stays open; what was made here is closed here.
 */

import type { Config, RouteConfig } from '../config/config.ts'
import { secretValues } from '../config/describe.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { noTelemetry } from '../telemetry/none.ts'
import { createRedactor, type RedactedField, type Redactor } from '../telemetry/redaction.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { createSilences } from './attempt/silences.ts'
import type { RouteCapabilities } from './capabilities/capability.ts'
import type { ProviderModels } from './models/catalogue.ts'
import { openOffers, type RequestEstimate } from './models/offers.ts'
import { blendedPrice } from './models/pricing.ts'
import { openNetwork } from './network.ts'
import { policyOfRoute } from './policy.ts'
import { completeOf, streamOf } from './provider.ts'
import type { RecordReader } from './recorder/record-store.ts'
import { createRecorder } from './recorder/recorder.ts'
import { createAttemptEngine } from './routing/attempt-engine.ts'
import { type Health, openHealth } from './routing/breaker/health.ts'
import type { OnChange, RouteHealth } from './routing/breaker/mirror.ts'
import { createProbe } from './routing/breaker/probe.ts'
import { credentialPolicyFromConfig, policyFromConfig } from './routing/breaker/rules.ts'
import { type HealthState, isUsable, type Transition } from './routing/breaker/states.ts'
import type { Force } from './routing/breaker/store.ts'
import { credentialSubject, subjectToName } from './routing/breaker/subjects.ts'
import { createPlaces } from './routing/choice/places.ts'
import type { CredentialStatus, Credentials } from './routing/credentials/credentials.ts'
import { createListProbe } from './routing/credentials/list-probe.ts'
import { openCredentials } from './routing/credentials/open-credentials.ts'
import type { AttemptEngine } from './routing/engine-types.ts'
import { type ExplainOptions, explainModel, type RouteExplanation } from './routing/explain/explain.ts'
import { type RouteReport, routeReports } from './routing/explain/route-report.ts'
import { createHealthScores } from './routing/measures/health-score.ts'
import { createSpeeds } from './routing/measures/speed.ts'
import { recordAttempt, registerGauges, zeroCredentialMetrics, zeroMetrics } from './routing/metrics.ts'
import { openMitigation, type RunningMitigation } from './routing/mitigation/open-mitigation.ts'
import { openProbes, type ProbeDesk, type ProbingOptions } from './routing/probes/open-probes.ts'
import { createRouteTable, type RouteTable } from './routing/route-table.ts'
import { createRouter } from './routing/router.ts'
import { zeroTranslationErrors } from './routing/translation.ts'
import type { Answer, ModelRequest, PartSink, RunOptions, StreamPart } from './types.ts'
import type { Upstream } from './upstream.ts'

/** A configured route and how it stands. */
export type RouteStatus = RouteConfig &
  RouteHealth & {
    readonly aliases: readonly string[]
    /** 0 to 1. */
    readonly healthScore: number
  }

export type ProviderRuntime = {
  /** The engine itself, with its decisions: for the agent loop. */
  readonly run: AttemptEngine['run']
  /** Never throws for what an upstream did. Leaving the loop early cancels the call. */
  stream(request: ModelRequest, options?: RunOptions): AsyncIterable<StreamPart>
  /** Rejects with TurnkeeperError; `error.partial` keeps what had come. */
  complete(request: ModelRequest, options?: RunOptions): Promise<Answer>
  /** Every route that stands in an alias, as this process sees it now. */
  routes(): readonly RouteStatus[]
  /** The same as the whole fleet has it, as plain data; what Redis has counted is read from it. */
  routeReports(): Promise<readonly RouteReport[]>
  /** What is known of what a route can; undefined for a name that leads to no route. The first route of an alias. */
  capabilities(route: string): RouteCapabilities | undefined
  /** The providers' own model lists; fetched where they are old, or whatever their age with `refresh`. */
  models(options?: { readonly refresh?: boolean }): Promise<readonly ProviderModels[]>
  /** Tokens of a request's prompt and what it may cost on the first route of its alias; nothing is sent. */
  estimate(request: ModelRequest): Promise<RequestEstimate>
  /** Every credential of the enabled providers, as this process sees it now. */
  credentials(): readonly CredentialStatus[]
  /** Which routes of `model` would be tried now and why; undefined for a name that leads nowhere. */
  explain(model: string, options?: ExplainOptions): Promise<RouteExplanation | undefined>
  /** In how many milliseconds a queued call of `model` may find a route; undefined if it finds one now, or never. */
  waitFor(model: string, segment?: string): number | undefined
  /** Resolves when the breakers have heard of every failure so far, after a second at the latest. */
  settled(): Promise<void>
  /** Keeps a route open or closed for a time, or resets it, in the whole fleet. Rejects when Redis cannot be reached. */
  force(route: string, force: Force): Promise<HealthState>
  /** Calls `listener` when this process sees a breaker change; returns its removal. */
  onHealthChange(listener: OnChange): () => void
  /** The latest moves of a route's breaker, or of all, oldest first; of the whole fleet. */
  history(route?: string): Promise<readonly Transition[]>
  /** How routes can be asked: what probes and traffic have shown, and probing now. */
  readonly probes: ProbeDesk
  /** Aliases that have warned, moved to their fallback or are returning, and all moves of the fleet. */
  readonly mitigations: Pick<RunningMitigation, 'standings' | 'history'>
  /** The evidence of failed attempts, of the whole fleet. */
  readonly records: RecordReader
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export type RuntimeConnections = {
  /** For short commands. */
  readonly command: RedisConnection
  readonly subscriber: RedisConnection
}

export type OpenRuntimeOptions = {
  readonly redis: RuntimeConnections
  readonly telemetry?: Telemetry
  /** Another way to reach a route, for tests; default: over HTTP, as configured. */
  readonly upstreamOf?: (route: string) => Upstream | undefined
  /** Whether old model lists are fetched in the background. Default false: only when somebody asks for them. */
  readonly fetchLists?: boolean
  /** How often this process looks at Redis, in milliseconds; default 800. */
  readonly tickMs?: number
  /** How it takes part in probing routes. Default: it reads what others have found, and learns from its traffic. */
  readonly probing?: ProbingOptions
  /** Of records and errors. Default: one that knows every secret of the configuration. */
  readonly redactor?: Redactor
}

/** A runtime on a resolved configuration and connections that the caller keeps. */
export async function openProviderRuntime(
  config: Config,
  options: OpenRuntimeOptions,
): Promise<ProviderRuntime> {
  const { redis, telemetry = noTelemetry, tickMs } = options
  const onRedacted = (field: RedactedField): void => telemetry.count('telemetry_redactions_total', { field })
  const { redactor = createRedactor(secretValues(config), { onRedacted }) } = options
  const table = createRouteTable(config)
  const silences = createSilences()
  const network = openNetwork(config, { table, telemetry, redactor, silences })
  const recorder = createRecorder({
    config: config.recorder,
    redis: redis.command,
    prefix: config.redis.prefix,
    telemetry,
    redactor,
    labelsOf: (route) => labelsOf(table, route),
  })
  const { upstreamOf = network.upstreamOf } = options
  zeroMetrics(telemetry, table)
  zeroTranslationErrors(telemetry, table)
  const subjects = Object.values(config.providers)
    .filter(({ enabled }) => enabled)
    .flatMap(({ name, credentials }) => credentials.map((one) => credentialSubject(name, one)))
  zeroCredentialMetrics(telemetry, subjects.map(subjectToName))
  const health: Health = await openHealth({
    redis: redis.command,
    subscriber: redis.subscriber,
    prefix: config.redis.prefix,
    routes: table.routes.map(({ name }) => name),
    policy: policyFromConfig(config.breakers),
    ...(subjects.length > 0 && {
      credentials: {
        subjects,
        policy: credentialPolicyFromConfig(config.breakers),
        probe: createListProbe({
          providerOf: (subject) => config.providers[subject.split('#', 1)[0] ?? ''],
          clientOf: network.clientOf,
          tokenOf: (subject) => credentials.tokenOf(subject),
        }),
      },
    }),
    probe: createProbe({
      upstreamOf,
      tokenOf: (route) => probeToken(credentials, route),
      telemetry,
      onReport(report) {
        recordAttempt(telemetry, labelsOf(table, report.route), report)
        recorder.record(report, { attempt: 1, probe: true })
      },
    }),
    telemetry,
    ...(tickMs !== undefined && { tickMs }),
  })
  const credentials: Credentials = openCredentials(config, {
    redis: redis.command,
    health,
    clientOf: network.clientOf,
  })
  const offers = await openOffers(config, {
    ...options,
    table,
    clientOf: network.clientOf,
    keyOf: credentials.bestToken,
  })
  const probes = await openProbes(config, {
    ...options.probing,
    redis: redis.command,
    routes: table.routes,
    upstreamOf,
    tokenOf: ({ provider }) => credentials.bestToken(provider),
    ...offers.knowledge,
    isUsable: (route) => isUsable(health.view(route).state),
    telemetry,
    onReport: (report) => void recorder.record(report, { attempt: 1, probe: true }),
  })
  const now = (): number => performance.now()
  const scores = createHealthScores(now)
  const speeds = createSpeeds(now)
  const places = createPlaces(
    Object.fromEntries(Object.values(config.providers).map(({ name, concurrency }) => [name, concurrency])),
  )
  const scoreOf = (route: string): number => scores.scoreOf(route, health.view(route).state)
  const removeGauges = registerGauges(telemetry, table, { health, credentials, scoreOf, silences })
  const router = createRouter({
    table,
    health,
    credentials,
    places,
    slownessOf: ({ name }) => speeds.costOf(name),
    priceOf: (route) => blendedPrice(offers.knowledge.priceOf(route)),
  })
  const knowledge = { policyOf: (route: RouteConfig) => policyOfRoute(config, route), ...offers.knowledge }
  const { prefix } = config.redis
  const mitigation = await openMitigation({ redis, prefix, table, router, telemetry, tickMs })
  const { run } = createAttemptEngine({
    ...{ router, mitigation, table, health, upstreamOf, knowledge },
    telemetry,
    config: config.routing,
    profiles: probes,
    record: recorder.record,
    ...{ credentials, places, speeds, scores },
  })
  const runModel = async (request: ModelRequest, emit: PartSink, runOptions?: RunOptions): Promise<void> => {
    await run(request, emit, runOptions)
  }
  const close = async (): Promise<void> => {
    removeGauges()
    offers.close()
    await probes.close()
    await mitigation.close()
    await health.close()
    await recorder.close()
    await network.close()
  }
  return {
    run,
    stream: (request, runOptions) => streamOf(runModel, request, runOptions),
    complete: (request, runOptions) => completeOf(runModel, request.model ?? '', request, runOptions),
    capabilities: (name) => {
      const route = table.find(name)?.routes[0]
      return route && offers.knowledge.capabilitiesOf(route)
    },
    models: offers.models,
    estimate: (request) => offers.estimate(request),
    routes: () => routeStatuses(table, { health, scoreOf }),
    routeReports: async () =>
      routeReports(table, {
        view: (route) => health.view(route),
        counts: await health.counts(),
        now: Date.now(),
      }),
    credentials: () => credentials.statuses(),
    explain: (model, call) =>
      explainModel({ router, mitigation, table, knowledge, config: config.routing }, model, call),
    waitFor(model, segment) {
      const alias = mitigation.aliasNow(model, segment === undefined ? {} : { segment })
      const choice = router.choose(alias, { whenAllOpen: 'wait' })
      return choice.kind === 'none' ? choice.nextProbeInMs : undefined
    },
    settled: () => health.settled(),
    force: (route, force) => health.force(route, force),
    onHealthChange: (listener) => health.onChange(listener),
    history: (route) => health.history(route),
    probes,
    mitigations: { standings: mitigation.standings, history: mitigation.history },
    records: { list: recorder.list, get: recorder.get },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function routeStatuses(
  table: RouteTable,
  { health, scoreOf }: { health: Health; scoreOf: (route: string) => number },
): RouteStatus[] {
  return table.routes.map((route) => ({
    ...route,
    ...health.view(route.name),
    healthScore: scoreOf(route.name),
    aliases: table.aliasesOf(route.name),
  }))
}

/** A probe of a route goes with whatever credential is the best now. */
async function probeToken(credentials: Credentials, route: string): Promise<string | undefined> {
  return credentials.bestToken(route.slice(0, route.indexOf('/')))
}

function labelsOf(table: RouteTable, name: string) {
  const route = table.routes.find((known) => known.name === name)
  return table.labels(route ?? { name, provider: name.split('/', 1)[0] ?? '', model: name })
}
