/** The agent of the demo: its tools work on the real files of this repository. */

import { readdir, readFile } from 'node:fs/promises'
import { join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineAgent, defineTool } from 'turnkeeper'
import { z } from 'zod'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** An absolute path inside the repository; anything else is refused. */
function inside(path: string): string {
  const absolute = resolve(root, path)
  if (absolute !== resolve(root) && !absolute.startsWith(resolve(root) + sep)) {
    throw new Error(`${path} is outside of the repository`)
  }
  return absolute
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(inside(directory), { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort()
}

const listFiles = defineTool({
  name: 'list_files',
  description: 'Lists all files below a directory of the repository.',
  inputSchema: z.object({ directory: z.string().describe('path from the root of the repository') }),
  effect: 'pure',
  execute: async ({ directory }) => ({ directory, files: await filesBelow(directory) }),
})

const countLines = defineTool({
  name: 'count_lines',
  description: 'Counts the lines of one file.',
  inputSchema: z.object({ path: z.string() }),
  effect: 'pure',
  execute: async ({ path }) => {
    const text = await readFile(inside(path), 'utf8')
    return { path, lines: text.split('\n').length - 1 }
  },
})

const readText = defineTool({
  name: 'read_file',
  description: 'Reads the beginning of one text file.',
  inputSchema: z.object({ path: z.string() }),
  effect: 'pure',
  execute: async ({ path }) => (await readFile(inside(path), 'utf8')).slice(0, 2_000),
})

const searchText = defineTool({
  name: 'search_text',
  description: 'Searches the files below a directory for a text and tells the lines that have it.',
  inputSchema: z.object({ text: z.string(), directory: z.string() }),
  effect: 'pure',
  execute: async ({ text, directory }) => {
    const matches: { path: string; line: number }[] = []
    for (const path of await filesBelow(directory)) {
      const lines = (await readFile(inside(path), 'utf8')).split('\n')
      for (const [i, line] of lines.entries()) if (line.includes(text)) matches.push({ path, line: i + 1 })
    }
    return { text, matches }
  },
})

export default [
  defineAgent({
    name: 'librarian',
    model: 'coder',
    instructions: 'You answer questions about the files of a repository. Look before you answer.',
    tools: [listFiles, countLines, readText, searchText],
    maxSteps: 12,
  }),
]
