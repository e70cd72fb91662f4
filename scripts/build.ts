/**
 * `npm run build`: makes `dist/`, the package that is published. Node refuses TypeScript below `node_modules`, so it
 * holds JavaScript; and nothing that only this repository needs.
 */

import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'

type Manifest = Record<string, unknown> & { optionalDependencies?: unknown }

const out = 'dist'
rmSync(out, { recursive: true, force: true })
mkdirSync(out)

const compiled = spawnSync('tsc', ['-p', 'tsconfig.build.json', '--outDir', `${out}/lib`], {
  stdio: 'inherit',
})
if (compiled.status !== 0) process.exit(1)

// Scripts and pages are read beside the module that uses them.
cpSync('src', `${out}/lib`, { recursive: true, filter: (path) => !/\.ts$/.test(path) })
cpSync('bin', `${out}/bin`, { recursive: true })
for (const file of ['README.md', 'CHANGELOG.md', 'LICENSE']) cpSync(file, `${out}/${file}`)

const {
  private: _private,
  scripts: _scripts,
  devDependencies: _development,
  optionalDependencies: _bundledNode,
  overrides: _overrides,
  allowScripts: _allowScripts,
  ...manifest
} = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest
writeFileSync(
  `${out}/package.json`,
  `${JSON.stringify(
    {
      ...manifest,
      exports: {
        '.': { types: './lib/index.d.ts', default: './lib/index.js' },
        './testing': { types: './lib/testing.d.ts', default: './lib/testing.js' },
        './package.json': './package.json',
      },
    },
    null,
    2,
  )}\n`,
)
console.log(`${out}/ is ready: npm pack ./${out}`)
