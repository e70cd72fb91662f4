/** Six conversations of four turns: each looks at files, and the last turn of each needs the ones before. */
const TOPICS = [
  { folder: 'src/queue', file: 'src/queue/journal.ts', word: 'epoch' },
  { folder: 'src/runtime', file: 'src/runtime/turn/turn-loop.ts', word: 'signal' },
  { folder: 'src/redis', file: 'src/redis/embedded.ts', word: 'noeviction' },
  { folder: 'src/telemetry', file: 'src/telemetry/catalogue.ts', word: 'route' },
  { folder: 'src/config', file: 'src/config/schema.ts', word: 'duration' },
  { folder: 'src/providers/routing', file: 'src/errors.ts', word: 'jitter' },
] as const

export type Question = { readonly sessionId: string; readonly number: number; readonly input: string }

export const QUESTIONS: readonly Question[] = TOPICS.flatMap(({ folder, file, word }, i) =>
  [
    `How many TypeScript files are there below ${folder}?`,
    `How many lines does ${file} have?`,
    `Search for "${word}" in ${folder}: which files mention it?`,
    'What did I ask you before?',
  ].map((input, number) => ({ sessionId: `session-${i + 1}`, number: number + 1, input })),
)
