import { TurnkeeperError } from '../errors.ts'
import type { ModelParameters } from '../providers/types.ts'
import type { Tool } from './tools/tool.ts'

export type AgentDefinition = {
  /** 1 to 128 letters, digits or ._- ; a label of metrics. */
  readonly name: string
  /** Alias or `provider/model`. */
  readonly model: string
  /** System message of every turn. */
  readonly instructions?: string
  readonly tools?: readonly Tool[]
  /** Most model calls of one turn; default 20. A turn that would need more fails with `turn/max_steps`. */
  readonly maxSteps?: number
  readonly parameters?: ModelParameters
  /**
   * Makes each turn begin in plan mode: the model has its `pure` tools alone, until it answers with a plan or has been
   * called `turnLimit` times, which count among `maxSteps` and are fewer.
   */
  readonly plan?: { readonly turnLimit: number }
}

export type Agent = {
  readonly name: string
  readonly model: string
  readonly instructions: string
  readonly tools: ReadonlyMap<string, Tool>
  readonly maxSteps: number
  readonly parameters: ModelParameters
  readonly plan?: { readonly turnLimit: number }
}

const NAME = /^[A-Za-z0-9._-]{1,128}$/

/**
 * Describes an agent: a model, what it is told, and the tools that it has.
 * @throws TurnkeeperError `config/invalid_config` for a bad name, two tools of one name, no steps, or no
 * step left to act after planning.
 */
export function defineAgent(definition: AgentDefinition): Agent {
  const { name, model, instructions = '', tools = [], maxSteps = 20, parameters = {}, plan } = definition
  if (!NAME.test(name)) {
    throw new TurnkeeperError(
      'invalid_config',
      `agent name: expected 1 to 128 of A-Z a-z 0-9 . _ -, got "${name}"`,
    )
  }
  if (typeof model !== 'string' || model === '') {
    throw new TurnkeeperError(
      'invalid_config',
      `agent ${name}: expected model to be an alias or provider/model`,
    )
  }
  if (!Number.isInteger(maxSteps) || maxSteps < 1) {
    throw new TurnkeeperError(
      'invalid_config',
      `agent ${name}: expected maxSteps to be a whole number from 1 up`,
    )
  }
  if (
    plan !== undefined &&
    !(Number.isInteger(plan.turnLimit) && plan.turnLimit >= 1 && plan.turnLimit < maxSteps)
  ) {
    throw new TurnkeeperError(
      'invalid_config',
      `agent ${name}: expected plan.turnLimit to be a whole number from 1 to ${maxSteps - 1} (maxSteps - 1), got ${plan.turnLimit}`,
    )
  }
  const byName = new Map<string, Tool>()
  for (const tool of tools) {
    if (byName.has(tool.spec.name)) {
      throw new TurnkeeperError('invalid_config', `agent ${name}: two tools are named ${tool.spec.name}`)
    }
    byName.set(tool.spec.name, tool)
  }
  return { name, model, instructions, tools: byName, maxSteps, parameters, ...(plan && { plan }) }
}
