import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { runCli } from '../cli/run-cli.ts'
import { alertRules } from './rule-files.ts'

const pages = ['runbooks.md', 'incident-template.md', 'daily-checks.md', 'data.md']
const text = pages.map((name) => readFileSync(`docs/${name}`, 'utf8')).join('\n')

/** Words of a command before its first argument, and the options that it is given. */
type Usage = { readonly command: string; readonly options: readonly string[] }

test('every section of a runbook says what it means, what users feel, where to look, what to do, when to escalate', () => {
  const sections = readFileSync('docs/runbooks.md', 'utf8').split(/^## /m).slice(1)
  expect(sections.length).toBe(alertRules.length)
  for (const section of sections) {
    const [name = ''] = section.split('\n', 1)
    const severity = alertRules.find(({ alert }) => alert === name)?.labels.severity
    expect(section, name).toContain(`*${severity === 'none' ? 'always on' : severity}.*`)
    for (const part of ['Users feel', 'Look here', 'Do this', 'Escalate when'])
      expect(section, `${name}: ${part}`).toContain(`**${part}`)
    expect(section, `${name}: names no command`).toMatch(/`turnkeeper /)
  }
})

test('every command that a runbook or an alert names exists, with these options', {
  timeout: 60_000,
}, async () => {
  const written = [
    ...[...text.matchAll(/`(turnkeeper [^`]+)`/g)].map(([, command = '']) => command),
    ...[...text.matchAll(/^(turnkeeper .+)$/gm)].map(([, command = '']) => command),
    ...alertRules.map(({ annotations }) => annotations.command ?? ''),
  ]
  const usages = new Map<string, Set<string>>()
  for (const { command, options } of written.map(usageOf)) {
    usages.set(command, new Set([...(usages.get(command) ?? []), ...options]))
  }
  for (const [command, options] of usages) {
    const { status, out } = await runCli([...command.split(' '), '--help'])
    expect(status, command).toBe(0)
    expect(out, command).toContain(`Usage: turnkeeper ${command}`)
    for (const option of options) expect(out, `turnkeeper ${command} ${option}`).toContain(option)
  }
})

function usageOf(line: string): Usage {
  const [, ...words] = line.replace(/\s#.*$/, '').split(/\s+/)
  const groups = ['turns', 'records', 'breaker', 'config', 'metrics']
  const command = words.slice(0, groups.includes(words[0] ?? '') ? 2 : 1).join(' ')
  return { command, options: words.filter((word) => /^--[a-z]/.test(word)) }
}
