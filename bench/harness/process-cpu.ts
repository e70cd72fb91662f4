import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** User and system of a running process in microseconds, in steps of 10 ms (`proc(5)`, USER_HZ is 100). */
export function cpuOfProcessUs({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}
