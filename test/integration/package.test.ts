import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

let home: string

const run = (command: string, ...args: string[]): string => {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: home, encoding: 'utf8' })
  expect(status, `${command} ${args.join(' ')}\n${stdout}\n${stderr}`).toBe(0)
  return stdout
}

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'tk-package-'))
  const build = spawnSync(process.execPath, ['scripts/build.ts'], { encoding: 'utf8' })
  expect(build.status, build.stdout + build.stderr).toBe(0)
  run('npm', 'pack', resolve('dist'), '--silent')
  const [tarball] = readdirSync(home)
  writeFileSync(join(home, 'package.json'), '{"name": "user", "private": true, "type": "module"}')
  run('npm', 'install', '--no-audit', '--no-fund', '--prefer-offline', '--silent', `./${tarball}`)
}, 180_000)
afterAll(() => rmSync(home, { recursive: true, force: true }))

test('the installed package runs a turn from plain JavaScript', () => {
  writeFileSync(
    join(home, 'program.js'),
    `import { connect, createWorker, defineAgent } from 'turnkeeper'
     import { createSim } from 'turnkeeper/testing'
     await using upstream = await createSim()
     const config = {
       redis: { durability: 'none' },
       telemetry: { logLevel: 'error' },
       providers: { sim: { protocol: 'openai-chat', baseUrl: upstream.url + '/v1' } },
       models: { coder: { routes: ['sim/any'] } },
     }
     await using worker = await createWorker({ config, agents: [defineAgent({ name: 'a', model: 'coder' })] })
     await using client = await connect({ config })
     const turn = await client.enqueue('a', { input: 'say "installed"' })
     console.log((await turn.result()).text)`,
  )
  expect(run(process.execPath, 'program.js')).toBe('installed\n')
})

test('the installed command line tells its version and its help', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  expect(run(process.execPath, 'node_modules/turnkeeper/bin/turnkeeper.cjs', '--version').trim()).toBe(
    version,
  )
  expect(run('node_modules/.bin/turnkeeper', 'worker', '--help')).toContain('turnkeeper worker')
})

test('the package brings types, and neither sources nor what only the repository needs', () => {
  const root = join(home, 'node_modules/turnkeeper')
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>
  for (const field of ['private', 'scripts', 'devDependencies', 'optionalDependencies', 'overrides']) {
    expect(manifest).not.toHaveProperty(field)
  }
  expect(existsSync(join(root, 'lib/index.d.ts'))).toBe(true)
  expect(existsSync(join(root, 'src'))).toBe(false)
  expect(existsSync(join(root, 'lib/queue/lua/claim.lua'))).toBe(true)
})
