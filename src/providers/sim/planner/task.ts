/** What the user's message asks for: the things that it names and the kinds of work that it wants. */

export type Task = {
  readonly question: string
  /** Paths with an extension. */
  readonly files: readonly string[]
  /** Paths without one. */
  readonly directories: readonly string[]
  /** What to search for: quoted text and identifiers that are no paths. */
  readonly terms: readonly string[]
  /** Capitalised words within a sentence: names of people, places, things. */
  readonly names: readonly string[]
  readonly numbers: readonly number[]
  /** The kind of files asked for, if one is named. */
  readonly kind: FileKind | undefined
  readonly wants: {
    readonly list: boolean
    readonly measure: boolean
    readonly read: boolean
    readonly search: boolean
  }
}

export type FileKind = { readonly label: string; readonly extensions: readonly string[] }

const KINDS: readonly (FileKind & { readonly word: RegExp })[] = [
  {
    label: 'TypeScript',
    extensions: ['ts', 'tsx', 'mts', 'cts'],
    word: /\btypescript\b|\.tsx?\b(?=\s+files?)/i,
  },
  {
    label: 'JavaScript',
    extensions: ['js', 'jsx', 'mjs', 'cjs'],
    word: /\bjavascript\b|\.[cm]?js\b(?=\s+files?)/i,
  },
  { label: 'Markdown', extensions: ['md'], word: /\bmarkdown\b|\.md\b(?=\s+files?)/i },
  { label: 'JSON', extensions: ['json'], word: /\bjson\b(?=\s+files?)/i },
  { label: 'YAML', extensions: ['yaml', 'yml'], word: /\byaml\b(?=\s+files?)/i },
  { label: 'Lua', extensions: ['lua'], word: /\blua\b/i },
  { label: 'Python', extensions: ['py'], word: /\bpython\b|\.py\b(?=\s+files?)/i },
]

const WANTS = {
  list: /\b(list|files?|folders?|director(y|ies)|how many|which|what is (in|under))\b/i,
  measure: /\b(longest|shortest|largest|biggest|smallest|how long|lines?|lengths?|sizes?)\b/i,
  read: /\b(read|open|show|summar\w*|explain|describe|what does|what do|contents?|look (at|into)|begins?|heading|title)\b/i,
  search: /\b(search|grep|find|mentions?|contains?|occurrences?|occurs?|where|uses?|used|imports?)\b/i,
} as const

/** Reads a message. */
export function readTask(question: string): Task {
  const quoted = [...question.matchAll(/"([^"]+)"|`([^`]+)`|(?<!\w)'([^']+)'(?!\w)/g)].map(
    (match) => match[1] ?? match[2] ?? match[3] ?? '',
  )
  const paths = readPaths(question)
  const isTerm = (text: string) => !paths.includes(trimPath(text))
  const terms = unique([...quoted.filter(isTerm), ...identifiers(question).filter(isTerm)])
  return {
    question,
    files: paths.filter(isFile),
    directories: paths.filter((path) => !isFile(path)),
    terms,
    names: readNames(question),
    numbers: [...question.matchAll(/(?<![\w./-])-?\d+(?:\.\d+)?(?![\w/])/g)].map((match) => Number(match[0])),
    kind: KINDS.find(({ word }) => word.test(question)),
    wants: {
      list: WANTS.list.test(question),
      measure: WANTS.measure.test(question),
      read: WANTS.read.test(question),
      search: WANTS.search.test(question) && terms.length > 0,
    },
  }
}

/** Whether the last segment of a path has an extension. */
export function isFile(path: string): boolean {
  return /[^/.]\.[A-Za-z][A-Za-z0-9]{0,9}$/.test(path)
}

/** Whether the file is of the kind that the task asks for; any file is, if it asks for none. */
export function isOfKind(path: string, kind: FileKind | undefined): boolean {
  return kind === undefined || kind.extensions.some((extension) => path.endsWith(`.${extension}`))
}

/** Without repetitions, in order. */
export function unique<T>(values: readonly T[]): readonly T[] {
  return [...new Set(values)]
}

function readPaths(question: string): readonly string[] {
  const tokens = question.split(/[\s,;()[\]"'`]+/).map(trimPath)
  const paths = tokens.filter(
    (token) => (looksLikePath(token) || token === '.') && !/^(and\/or|either\/or)$/i.test(token),
  )
  return paths.length > 0 ? unique(paths) : spokenPaths(question)
}

/** Directories that are named without a slash: `the docs folder`, `folder docs`, `under docs`. */
function spokenPaths(question: string): readonly string[] {
  const patterns = [
    /[`"']?([\w./-]+)[`"']?\s+(?:folder|directory)\b/gi,
    /\b(?:folder|directory)\s+[`"']?([\w./-]+)/gi,
    /\b(?:under|inside|within)\s+[`"']?([a-z][\w.-]*)/g,
  ]
  const found = patterns.map((pattern) =>
    [...question.matchAll(pattern)]
      .map((match) => trimPath(match[1] ?? ''))
      .filter((word) => word !== '' && !ARTICLES.test(word)),
  )
  return unique(found.find((words) => words.length > 0) ?? [])
}

const ARTICLES =
  /^(the|this|that|each|every|a|an|is|are|which|what|it|them|of|in|and|same|current|root|has|one)$/i

function trimPath(token: string): string {
  return token.replace(/[.,:;!?]+$/, '').replace(/(?<=.)\/+$/, '') || (/^\.+$/.test(token) ? '.' : '')
}

function looksLikePath(token: string): boolean {
  if (/^[a-z]+:\/\//i.test(token) || /^[\d./-]*$/.test(token)) return false
  return (
    /^[\w@.-]*(\/[\w@.*-]+)+$/.test(token) ||
    /^[\w-]+(\.[\w-]+)*\.(ts|tsx|js|mjs|json|md|ya?ml|txt|lua|py|toml|css|html)$/.test(token)
  )
}

function identifiers(question: string): readonly string[] {
  return (
    question
      .match(/\b(?:[a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*|TODO|FIXME)\b/g)
      ?.filter((word) => !/^(Type|Java)Script$/.test(word)) ?? []
  )
}

function readNames(question: string): readonly string[] {
  const words = [...question.matchAll(/(?<=[a-z,]\s)\p{Lu}[\p{L}-]+(?:\s\p{Lu}[\p{L}-]+)*/gu)].map(
    (match) => match[0],
  )
  return unique(words)
}
