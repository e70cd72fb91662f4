import { type ContextManager, context } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'

/** What is active now, and running with something else. */
export type Contexts = Pick<ContextManager, 'active' | 'with'>

/**
 * The one global: spans that a tool makes with its own OpenTelemetry must nest in ours, and the API's context is
 * how they find them. The first manager of the process stays, whosever it is; a second call is given it by way of the
 * API, the first one itself, which is the shorter way.
 */
export function shareContext(): Contexts {
  const manager = new AsyncLocalStorageContextManager().enable()
  if (context.setGlobalContextManager(manager)) return manager
  manager.disable()
  return context
}
