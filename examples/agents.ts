/** Agents of the examples: what a worker runs when a configuration names this file. */

import { readdir, stat } from 'node:fs/promises'
import { resolve, sep } from 'node:path'
import { defineAgent, defineTool } from 'turnkeeper'
import { z } from 'zod'

const root = process.cwd()

const listFiles = defineTool({
  name: 'list_files',
  description: 'Lists the files in a folder, with their sizes in bytes.',
  inputSchema: z.object({ directory: z.string().describe('path below the working directory') }),
  effect: 'pure',
  execute: async ({ directory }) => {
    const folder = resolve(root, directory)
    if (folder !== root && !folder.startsWith(root + sep))
      throw new Error(`${directory} is outside of ${root}`)
    const names = (await readdir(folder)).filter((name) => !name.startsWith('.'))
    return Promise.all(
      names.map(async (name) => ({ name, sizeBytes: (await stat(resolve(folder, name))).size })),
    )
  },
})

export default [
  defineAgent({
    name: 'assistant',
    model: 'coder',
    instructions: 'Answer briefly. Look at the files before you say anything about them.',
    tools: [listFiles],
  }),
]
