/** The agents of a configuration, and what is wrong with them. */

import type { Config } from '../config/config.ts'
import { suggestion } from '../config/problems.ts'
import { TurnkeeperError } from '../errors.ts'
import { createRouteTable } from '../providers/routing/route-table.ts'
import type { Agent } from '../runtime/agent.ts'
import { loadAgents } from '../runtime/load-agents.ts'
import { type LargeTool, largeTools } from '../runtime/tools/large-tools.ts'
import { agentFindings } from './parameters-check.ts'

export type AgentDescription = {
  readonly name: string
  readonly model: string
  readonly maxSteps: number
  readonly tools: readonly { readonly name: string; readonly effect: string }[]
}

export type AgentsCheck = {
  readonly agents: readonly AgentDescription[]
  /** One sentence each. */
  readonly findings: readonly string[]
}

/** Loads the agents that the configuration names and compares their models with it; without a name, nothing. */
export async function checkAgents(config: Config): Promise<AgentsCheck> {
  if (config.agents === undefined) return { agents: [], findings: [] }
  try {
    const agents = [...(await loadAgents(config.agents)).values()]
    return {
      agents: agents.map(describeAgent),
      findings: [
        ...agents.flatMap((agent) => [...findingsOf(agent, config), ...agentFindings(agent, config)]),
        ...[...largeTools(new Map(agents.map((agent) => [agent.name, agent])), config)].map(largeToolText),
      ],
    }
  } catch (error) {
    if (!(error instanceof TurnkeeperError)) throw error
    return { agents: [], findings: [error.message] }
  }
}

function largeToolText({ agent, tool, schemaBytes, limitBytes }: LargeTool): string {
  const limit = `limits.toolSchemaBytes is ${limitBytes}`
  return `agent ${agent}: the schema of its tool ${tool} has ${schemaBytes} bytes (${limit})`
}

/** The same in lines for people, to stand below the configuration. */
export function agentListText(agents: readonly AgentDescription[]): string {
  return agents
    .map(({ name, model, tools }) => {
      const list = tools.map((tool) => `${tool.name} (${tool.effect})`).join(', ')
      return `  ${name}  model ${model}  tools: ${list || 'none'}`
    })
    .join('\n')
}

function describeAgent({ name, model, maxSteps, tools }: Agent): AgentDescription {
  return {
    name,
    model,
    maxSteps,
    tools: [...tools.values()].map(({ spec, effect }) => ({ name: spec.name, effect })),
  }
}

/** A model is an alias, or a route whose provider is configured and switched on. */
function findingsOf({ name, model }: Agent, config: Config): readonly string[] {
  const { models, providers } = config
  if (model in models || createRouteTable(config).find(model) !== undefined) return []
  const slash = model.indexOf('/')
  const provider = providers[model.slice(0, Math.max(slash, 0))]
  if (slash > 0 && slash < model.length - 1 && provider !== undefined) {
    const why = provider.enabled ? 'that does not let it in by that name' : 'that is disabled'
    return [`agent ${name}: its model ${model} is of a provider ${why}`]
  }
  const hint =
    suggestion(model, Object.keys(models)) || ` (aliases: ${Object.keys(models).join(', ') || 'none'})`
  return [
    `agent ${name}: its model ${model} is neither an alias nor provider/model of a configured provider${hint}`,
  ]
}
