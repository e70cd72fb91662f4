/**
 * A provider runtime whose models, routing, breakers and providers can be changed while it serves.
 *
 *   serving ──reload──▶ serving (the new one);  the old one: draining ──its last call has ended──▶ closed
 *
 * L1. A call ends on the runtime on which it began; the next one begins on the new one.
 * L2. What cannot be loaded or opened changes nothing, and one log line says why.
 * L3. Listeners hear the breakers of the runtime that serves. What the fleet shares (breakers, cooldowns, model lists)
 *     stands in Redis and is kept; what the process has measured (speeds, scores, retry budgets) begins anew.
 */

import type { Config } from '../config/config.ts'
import { secretValues } from '../config/describe.ts'
import { reloadedConfig } from '../config/reload.ts'
import { toTurnkeeperError } from '../errors.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../redis/connection.ts'
import type { RunningTelemetry } from '../telemetry/create.ts'
import { completeOf, streamOf } from './provider.ts'
import type { OnChange } from './routing/breaker/mirror.ts'
import { type OpenRuntimeOptions, openProviderRuntime, type ProviderRuntime } from './runtime.ts'

export type ReloadableRuntime = ProviderRuntime & {
  /** Takes up what `load` gives; one at a time. Never rejects (L2); resolves with whether anything was taken up. */
  reload(load: () => Promise<Config>): Promise<boolean>
  /** Calls `listener` after each change of the configuration. */
  onReload(listener: () => void): void
}

export type OpenReloadableOptions = Pick<OpenRuntimeOptions, 'fetchLists' | 'probing'> & {
  /** Of the Redis; each runtime has a connection of its own for the news of breakers. */
  readonly url: string
  /** For short commands; stays its owner's. */
  readonly command: RedisConnection
  readonly telemetry: RunningTelemetry
}

/** A runtime with the calls that are under way on it. */
type Held = { readonly runtime: ProviderRuntime; calls: number; unlisten: () => void; isRetired: boolean }

/** Opens the runtime of a configuration, to be reloaded. */
export async function openReloadableRuntime(
  config: Config,
  options: OpenReloadableOptions,
): Promise<ReloadableRuntime> {
  const { telemetry } = options
  const listeners = new Set<OnChange>()
  const reloadListeners = new Set<() => void>()
  const alive = new Set<Held>()
  const hold = async (next: Config): Promise<Held> => {
    const runtime = await openOne(next, options)
    const unlisten = runtime.onHealthChange((change) => {
      for (const listener of listeners) listener(change)
    })
    const held: Held = { runtime, calls: 0, unlisten, isRetired: false }
    alive.add(held)
    return held
  }
  const retire = async (held: Held): Promise<void> => {
    held.isRetired = true
    held.unlisten() // L3
    if (held.calls === 0) await end(held)
  }
  const end = async (held: Held): Promise<void> => {
    await held.runtime.close().catch(() => {}) // what it leaves open ends with the process
    alive.delete(held)
  }
  let running = config
  let current = await hold(config)
  let reloading: Promise<unknown> = Promise.resolve()

  const takeUp = async (load: () => Promise<Config>): Promise<boolean> => {
    try {
      const loaded = await load()
      const { config: next, waiting } = reloadedConfig(running, loaded)
      telemetry.learnSecrets(secretValues(next))
      const before = current
      current = await hold(next)
      running = next
      void retire(before)
      telemetry.log.info({ needs_restart: waiting }, 'configuration reloaded')
      for (const listener of reloadListeners) listener()
      return true
    } catch (error) {
      const { code, message } = toTurnkeeperError(error)
      telemetry.log.error({ code, why: message }, 'configuration not reloaded: the old one stands')
      return false
    }
  }
  const run: ProviderRuntime['run'] = async (request, emit, callOptions) => {
    const held = current
    held.calls++
    try {
      return await held.runtime.run(request, emit, callOptions)
    } finally {
      held.calls--
      if (held.isRetired && held.calls === 0) void end(held) // L1
    }
  }
  const runModel = async (...call: Parameters<ProviderRuntime['run']>): Promise<void> => {
    await run(...call)
  }
  const close = async (): Promise<void> => {
    await reloading
    await Promise.all([...alive].map(end))
  }
  return {
    run,
    stream: (request, callOptions) => streamOf(runModel, request, callOptions),
    complete: (request, callOptions) => completeOf(runModel, request.model ?? '', request, callOptions),
    routes: () => current.runtime.routes(),
    routeReports: () => current.runtime.routeReports(),
    capabilities: (route) => current.runtime.capabilities(route),
    models: (listOptions) => current.runtime.models(listOptions),
    estimate: (request) => current.runtime.estimate(request),
    credentials: () => current.runtime.credentials(),
    explain: (model, call) => current.runtime.explain(model, call),
    waitFor: (model, segment) => current.runtime.waitFor(model, segment),
    settled: () => current.runtime.settled(),
    force: (route, force) => current.runtime.force(route, force),
    history: (route) => current.runtime.history(route),
    get mitigations() {
      return current.runtime.mitigations
    },
    get probes() {
      return current.runtime.probes
    },
    get records() {
      return current.runtime.records
    },
    onHealthChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    onReload: (listener) => void reloadListeners.add(listener),
    reload(load) {
      const taken = reloading.then(() => takeUp(load))
      reloading = taken
      return taken
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** One runtime with its connection for the news of breakers, closed with it. */
async function openOne(
  config: Config,
  { url, command, ...shared }: OpenReloadableOptions,
): Promise<ProviderRuntime> {
  await using opening = new AsyncDisposableStack()
  const subscriber = opening.adopt(await connectRedis(url, { role: 'subscriber' }), closeRedis)
  const redis = { command, subscriber }
  const runtime = opening.use(await openProviderRuntime(config, { redis, ...shared }))
  const owned = opening.move()
  const close = (): Promise<void> => owned.disposeAsync()
  return { ...runtime, close, [Symbol.asyncDispose]: close }
}
