import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { runCli } from '../cli/run-cli.ts'
import { type AlertRule, alertRules } from './rule-files.ts'

const pages = ['runbooks.md', 'on-call.md', 'incident-template.md', 'daily-checks.md', 'data.md']
const text = pages.map((name) => readFileSync(`docs/${name}`, 'utf8')).join('\n')

/** Words of a command before its first argument, and the options that it is given. */
type Usage = { readonly command: string; readonly options: readonly string[] }

test('every section of a runbook says what it means, what users feel, where to look, what to do, when to escalate', () => {
  const sections = readFileSync('docs/runbooks.md', 'utf8').split(/^## /m).slice(1)
  expect(sections.length).toBe(alertRules.length)
  for (const section of sections) {
    const [name = ''] = section.split('\n', 1)
    const severity = alertRules.find(({ alert }) => alert === name)?.labels.severity
    const urgency = severity === 'none' ? 'always on' : severity
    expect(section, `${name}: its meaning`).toMatch(new RegExp(`^\\*${urgency}\\.\\* [A-Z].{30,}\\.$`, 'm'))
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
    ...[...text.matchAll(/^(?:\$ )?(turnkeeper .+)$/gm)].map(([, command = '']) => command),
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

test('the message of the walk-through is the one that is sent', () => {
  const page = readFileSync('docs/on-call.md', 'utf8')
  const { annotations } = alertRules.find(({ alert }) => alert === 'ProviderHtmlPayloads') as AlertRule
  const [route = ''] = /(?<=ProviderHtmlPayloads · )\S+$/m.exec(page) ?? []
  expect(page).toContain(`\n${annotations.summary}\n`)
  expect(page).toContain(`\n\`${annotations.command?.replace('{{ $labels.route }}', route)}\`\n`)
  expect(page).toContain(`(${annotations.runbook_url?.replace('/docs/', '')})`)
})

function usageOf(line: string): Usage {
  const [, ...words] = line.replace(/\s#.*$/, '').split(/\s+/)
  const groups = ['turns', 'records', 'breaker', 'config', 'metrics']
  const command = words.slice(0, groups.includes(words[0] ?? '') ? 2 : 1).join(' ')
  return { command, options: words.filter((word) => /^--[a-z]/.test(word)) }
}
