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

/** An upstream that refuses parameters which its vendor would refuse, and adds the provider's own below them. */
export function checkedUpstream(
  upstream: Upstream,
  { defaults, provider, ...site }: ParameterCheck,
): Upstream {
  const { route } = upstream
  const complete = (request: ModelRequest): ModelRequest => ({
    ...request,
    parameters: { ...defaults, ...request.parameters },
  })
  return {
    route,
    refusal(request) {
      const { refusal: error, refused: what = [] } = checkParameters(
        { ...complete(request).parameters },
        site,
      )
      return error && { error, what }
    },
    async attempt(given, emit, options) {
      const request = complete(given)
      const { refusal, refused = [], notSent } = checkParameters({ ...request.parameters }, site)
      if (refusal) {
        const partial = createCollector(route).answer()
        const error = withDetails(refusal, { provider, route, partial })
        const nothing = { usage: null, durationMs: 0, idleMs: 0, streamed: false, untranslatable: refused }
        return { route, outcome: 'failed', error, phase: 'before_headers', ...nothing }
      }
      const report = await upstream.attempt(request, emit, options)
      return notSent.length === 0 ? report : { ...report, notSent }
    },
  }
}
