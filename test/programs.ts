import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Whether a program can be started by its name. */
export function isOnPath(program: string, path: string = process.env.PATH ?? ''): boolean {
  return path.split(delimiter).some((folder) => folder !== '' && existsSync(join(folder, program)))
}
