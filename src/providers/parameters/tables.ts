import { ANTHROPIC } from './anthropic.ts'
import { LLAMACPP_CLI } from './llamacpp-cli.ts'
import { OLLAMA } from './ollama.ts'
import { OPENAI_CHAT } from './openai-chat.ts'
import { OPENAI_RESPONSES } from './openai-responses.ts'
import type { ParameterTable } from './rule.ts'

/** All tables: by protocol, then by dialect. A protocol without dialects has only `generic`. */
export const PARAMETER_TABLES = {
  'openai-chat': OPENAI_CHAT,
  'openai-responses': { generic: OPENAI_RESPONSES },
  anthropic: { generic: ANTHROPIC },
  ollama: { generic: OLLAMA },
  'llamacpp-cli': { generic: LLAMACPP_CLI },
} as const satisfies Record<string, Record<'generic', ParameterTable>>

/** Every protocol that has a table. */
export type TabledProtocol = keyof typeof PARAMETER_TABLES

/** The rules of a protocol and dialect; those of `generic` for a dialect that the protocol does not know. */
export function parameterTable(protocol: TabledProtocol, dialect = 'generic'): ParameterTable {
  const tables: Readonly<Record<string, ParameterTable>> = PARAMETER_TABLES[protocol]
  return (Object.hasOwn(tables, dialect) ? tables[dialect] : undefined) ?? PARAMETER_TABLES[protocol].generic
}
