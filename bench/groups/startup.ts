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
    'CPU of a whole process that imports a library, or prints what its commands are, and ends. On an idle machine that is its time, or a little more.',
  floor: 'node alone',
  prepare: buildPackage,
  variants: [
    { name: 'node alone', module: 'subjects/startup/process.ts' },
    {
      name: 'turnkeeper',
      module: 'subjects/startup/process.ts',
      options: { imports: './.build/lib/index.js', runs: ['.build/bin/turnkeeper.cjs', '--help'] },
    },
    {
      name: 'turnkeeper, from its sources',
      module: 'subjects/startup/process.ts',
      options: { imports: '../src/index.ts', runs: ['../bin/turnkeeper.cjs', '--help'] },
    },
    ...['undici', 'openai', 'ai', '@langchain/openai', '@openai/agents', 'bullmq'].map(importing),
  ],
  units: { import: 'ms', '--help': 'ms' },
  goals: [
    {
      variant: 'turnkeeper',
      column: 'import',
      of: 'us',
      atMost: 150,
      why: 'zod, which defineTool needs at once, is two fifths of what node alone does not spend, and 135 small modules of our own the rest; undici alone misses it on this machine as well',
    },
    { variant: 'turnkeeper', column: '--help', of: 'us', atMost: 250 },
  ],
}
