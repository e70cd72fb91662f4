import { PARAMETER_NAMES, type ParameterName } from './rule.ts'
import { PARAMETER_TABLES } from './tables.ts'

/** Names that vendors have used and no table has. */
const OTHER_NAMES: Readonly<Record<string, ParameterName>> = {
  max_tokens_to_sample: 'maxTokens',
  n_predict: 'maxTokens',
  context: 'contextWindow',
  n_ctx: 'contextWindow',
  stop_strings: 'stop',
  thinking: 'reasoningTokens',
  reasoning: 'reasoningEffort',
}

/** The neutral name of what some vendor calls `name`, upper case and separators aside; undefined if none does. */
export function neutralName(name: string): ParameterName | undefined {
  const wanted = plain(name)
  if (Object.hasOwn(OTHER_NAMES, name)) return OTHER_NAMES[name]
  const own = PARAMETER_NAMES.find((neutral) => plain(neutral) === wanted)
  return own ?? wireOwner(wanted)
}

function wireOwner(wanted: string): ParameterName | undefined {
  for (const dialects of Object.values(PARAMETER_TABLES)) {
    for (const table of Object.values(dialects)) {
      for (const [name, rule] of Object.entries(table)) {
        const lastStep = rule.wire.split('.').at(-1) ?? ''
        if (plain(lastStep) === wanted) return name as ParameterName // the keys of a table are neutral names
      }
    }
  }
  return undefined
}

const plain = (name: string): string => name.replace(/[-_]/g, '').toLowerCase()
