import { withDetails } from '../../errors.ts'
import { createCollector } from '../collect.ts'
import type { ModelParameters, ModelRequest } from '../types.ts'
import type { Upstream } from '../upstream.ts'
import { checkParameters, type ParameterSite } from './check.ts'

export type ParameterCheck = ParameterSite & {
  readonly provider: string
  /** Parameters of every request that does not set them itself. */
  readonly defaults: ModelParameters
}

const NONE: ModelParameters = {}

/** An upstream that refuses parameters which its vendor would refuse, and adds the provider's own below them. */
export function checkedUpstream(
  upstream: Upstream,
  { defaults, provider, ...site }: ParameterCheck,
): Upstream {
  const { route } = upstream
  const hasDefaults = Object.keys(defaults).length > 0
  const parametersOf = ({ parameters }: ModelRequest): ModelParameters =>
    hasDefaults ? { ...defaults, ...parameters } : (parameters ?? NONE)
  return {
    route,
    refusal(request) {
      const { refusal: error, refused: what = [] } = checkParameters(parametersOf(request), site)
      return error && { error, what }
    },
    attempt(request, emit, options) {
      const parameters = parametersOf(request)
      const { refusal, refused = [], notSent } = checkParameters(parameters, site)
      if (refusal) {
        const partial = createCollector(route).answer()
        const error = withDetails(refusal, { provider, route, partial })
        const nothing = { usage: null, durationMs: 0, idleMs: 0, streamed: false, untranslatable: refused }
        return Promise.resolve({ route, outcome: 'failed', error, phase: 'before_headers', ...nothing })
      }
      const made = upstream.attempt(hasDefaults ? { ...request, parameters } : request, emit, options)
      return notSent.length === 0 ? made : made.then((report) => ({ ...report, notSent }))
    },
  }
}
