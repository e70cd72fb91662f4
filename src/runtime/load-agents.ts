import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { TurnkeeperError } from '../errors.ts'
import type { Agent } from './agent.ts'

/**
 * The agents of a list, or of the module at an absolute path, whose default export is that list.
 * @throws TurnkeeperError `config/invalid_config` when there is no such module, no list in it, or two of one name.
 */
export async function loadAgents(source: readonly Agent[] | string): Promise<ReadonlyMap<string, Agent>> {
  const agents = typeof source === 'string' ? await importAgents(source) : source
  const byName = new Map<string, Agent>()
  for (const agent of agents) {
    if (byName.has(agent.name))
      throw new TurnkeeperError('invalid_config', `two agents are named ${agent.name}`)
    byName.set(agent.name, agent)
  }
  return byName
}

async function importAgents(path: string): Promise<readonly Agent[]> {
  if (!existsSync(path)) throw new TurnkeeperError('invalid_config', `agents: there is no file ${path}`)
  let module: { default?: unknown }
  try {
    module = (await import(pathToFileURL(path).href)) as { default?: unknown }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new TurnkeeperError('invalid_config', `agents: ${path} cannot be loaded: ${why}`, { cause })
  }
  if (Array.isArray(module.default) && module.default.every(isAgent)) return module.default
  throw new TurnkeeperError(
    'invalid_config',
    `agents: expected the default export of ${path} to be a list of what defineAgent returns`,
  )
}

function isAgent(value: unknown): value is Agent {
  return (
    typeof value === 'object' &&
    value !== null &&
    'name' in value &&
    'tools' in value &&
    value.tools instanceof Map
  )
}
