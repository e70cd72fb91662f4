import type { Config } from '../../config/config.ts'
import type { Agent } from '../agent.ts'

/** A tool whose schema is larger than a provider of its agent's model allows without a word. */
export type LargeTool = {
  readonly agent: string
  readonly tool: string
  readonly schemaBytes: number
  readonly limitBytes: number
}

/** Tools over `limits.toolSchemaBytes`: many upstreams break on them, or charge for them at every call. */
export function largeTools(agents: ReadonlyMap<string, Agent>, config: Config): readonly LargeTool[] {
  return [...agents.values()].flatMap(({ name: agent, model, tools }) => {
    const limitBytes = limitFor(model, config)
    return [...tools.values()]
      .map(({ spec }) => ({
        agent,
        tool: spec.name,
        schemaBytes: Buffer.byteLength(JSON.stringify(spec.inputSchema)),
        limitBytes,
      }))
      .filter(({ schemaBytes }) => schemaBytes > limitBytes)
  })
}

/** The smallest limit among the providers that may serve the model. */
function limitFor(model: string, { models, providers }: Config): number {
  const own = models[model]?.routes.map(({ provider }) => provider) ?? [model.split('/', 1)[0] ?? '']
  const limits = own.flatMap((provider) => providers[provider]?.limits.toolSchemaBytes ?? [])
  return Math.min(...limits) // of none: no limit
}
