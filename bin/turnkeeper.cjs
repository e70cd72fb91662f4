#!/usr/bin/env node
// Runs on any Node, however old: hands over to a Node that is new enough, or says what is missing.
'use strict'
const fs = require('node:fs')
const path = require('node:path')
const url = require('node:url')
const childProcess = require('node:child_process')

const OLDEST = [22, 19]

function main() {
  if (isNewEnough(process.versions.node)) {
    const source = path.join(__dirname, '../src/cli/main.ts')
    const entry = fs.existsSync(source) ? source : path.join(__dirname, '../lib/cli/main.js')
    import(url.pathToFileURL(entry).href).then((cli) => cli.main(process.argv.slice(2)))
    return
  }
  const newer = bundledNode()
  if (newer === undefined) {
    console.error(
      `turnkeeper: expected Node ${OLDEST.join('.')} or later, got ${process.versions.node}. Install a newer Node.`,
    )
    process.exit(2)
  }
  const child = childProcess.spawn(newer, [__filename].concat(process.argv.slice(2)), { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) =>
    process.exit(code === null ? 128 + (signal === 'SIGINT' ? 2 : 15) : code),
  )
}

function isNewEnough(version) {
  const parts = version.split('.').map(Number)
  return parts[0] > OLDEST[0] || (parts[0] === OLDEST[0] && parts[1] >= OLDEST[1])
}

function bundledNode() {
  const name = `node-${process.platform}-${process.arch}`
  try {
    const binary = path.join(path.dirname(require.resolve(`${name}/package.json`)), 'bin/node')
    return fs.existsSync(binary) ? binary : undefined
  } catch {
    return undefined
  }
}

main()
