/** What the offered tools are good for, told from their names, descriptions and schemas. */

import type { ToolSpec } from '../../types.ts'

export type Ability = 'list' | 'read' | 'count' | 'search'

/** One tool for each ability, where there is one, and the tools that have none of them. */
export type Toolbox = {
  readonly list: ToolSpec | undefined
  readonly read: ToolSpec | undefined
  readonly count: ToolSpec | undefined
  readonly search: ToolSpec | undefined
  readonly others: readonly ToolSpec[]
}

/** A tool whose name says that it changes something is never used to look at something. */
const ACTING =
  /\b(write|edit|delete|remove|create|update|send|run|exec|append|move|rename|apply|set|deploy)\b/

const WORDS: Readonly<Record<Ability, RegExp>> = {
  list: /\b(list|ls|dir|directory|tree|glob)\b/,
  count: /\b(count|wc|length|lines)\b/,
  search: /\b(search|grep|find|match)\b/,
  read: /\b(read|open|cat|view)\b/,
}

/** About files or text: a `count_votes` or a `search_flights` is not meant here. */
const ABOUT_FILES = /\b(files?|director(y|ies)|folders?|paths?|lines?|text|content|repository|code)\b/

/** Sorts the tools. */
export function readToolbox(tools: readonly ToolSpec[]): Toolbox {
  const abilities = new Map(tools.map((tool) => [tool, abilityOf(tool)]))
  const first = (ability: Ability) => tools.find((tool) => abilities.get(tool) === ability)
  return {
    list: first('list'),
    read: first('read'),
    count: first('count'),
    search: first('search'),
    others: tools.filter((tool) => abilities.get(tool) === undefined),
  }
}

/** The words of a name: `listFiles`, `list_files` and `list-files` give `list files`. */
export function wordsOf(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/[_.-]+/g, ' ')
    .toLowerCase()
}

function abilityOf(tool: ToolSpec): Ability | undefined {
  const name = wordsOf(tool.name)
  const properties = Object.keys(propertiesOf(tool)).map(wordsOf)
  if (
    ACTING.test(name) ||
    !ABOUT_FILES.test([name, tool.description.toLowerCase(), ...properties].join(' '))
  ) {
    return undefined
  }
  return abilityIn(name) ?? abilityIn(tool.description.toLowerCase().split('.')[0] ?? '')
}

function abilityIn(words: string): Ability | undefined {
  return (['count', 'search', 'list', 'read'] as const).find((ability) => WORDS[ability].test(words))
}

function propertiesOf(tool: ToolSpec): Readonly<Record<string, unknown>> {
  return (tool.inputSchema.properties ?? {}) as Readonly<Record<string, unknown>> // JSON Schema says so
}
