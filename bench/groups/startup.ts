import { buildPackage } from '../harness/build.ts'
import type { Group, Variant } from '../harness/group.ts'

const importing = (name: string): Variant => ({
  name,
  module: 'subjects/startup/process.ts',
  options: { imports: name },
})

/** CPU of a process that imports a library, or says what its commands are, and ends. */
export const startup: Group = {
  name: 'startup',
  title: 'Starting: CPU of the whole process',
  about:
    'CPU of a whole process that imports a library, or prints what its commands are, and ends; of a worker, until it takes turns. On an idle machine that is its time, or a little more.',
  floor: 'node alone',
  prepare: buildPackage,
  variants: [
    { name: 'node alone', module: 'subjects/startup/process.ts' },
    {
      name: 'turnkeeper',
      module: 'subjects/startup/process.ts',
      options: {
        imports: './.build/lib/index.js',
        runs: ['.build/bin/turnkeeper.cjs', '--help'],
        works: '.build/bin/turnkeeper.cjs',
      },
    },
    {
      name: 'turnkeeper, from its sources',
      module: 'subjects/startup/process.ts',
      options: { imports: '../src/index.ts', runs: ['../bin/turnkeeper.cjs', '--help'] },
    },
    ...['undici', 'openai', 'ai', '@langchain/openai', '@openai/agents', 'bullmq'].map(importing),
  ],
  units: { import: 'ms', '--help': 'ms', 'worker ready': 'ms' },
  goals: [
    {
      variant: 'turnkeeper',
      column: 'import',
      of: 'us',
      atMost: 150,
      why: 'it loads 90 small modules and eventsource-parser, no queue, no SDK and no zod: on an idle machine it keeps it, with others at work caches are cold',
    },
    { variant: 'turnkeeper', column: '--help', of: 'us', atMost: 250 },
  ],
}
