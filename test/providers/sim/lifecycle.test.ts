import { execFileSync } from 'node:child_process'
import { request } from 'node:https'
import { describe, expect, test } from 'vitest'
import { createSim, type Sim } from '../../../src/providers/sim/sim.ts'
import { GREETING, post } from './chat.ts'

describe('lifecycle', () => {
  test('a taken port is an error that says so', async () => {
    await using sim = await createSim()
    await expect(createSim({ port: sim.port })).rejects.toMatchObject({ code: 'config/port_in_use' })
  })

  test('closing destroys connections that hang', async () => {
    const sim = await createSim()
    const response = await post(sim, { model: 'a+stall:5', stream: true, ...GREETING })
    const body = response.text()
    body.catch(() => undefined)
    await sim.close()
    await expect(body).rejects.toThrow()
    await expect(fetch(sim.url)).rejects.toThrow()
  })

  test.skipIf(!hasOpenssl())('with tls it serves HTTPS under a certificate that it hands out', async () => {
    await using sim = await createSim({ tls: true })
    expect(sim.url).toMatch(/^https:/)
    expect(await statusOverTls(sim)).toBe(200)
    await expect(fetch(`${sim.url}/v1/models`)).rejects.toThrow()
  })
})

function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function statusOverTls(sim: Sim): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = { ca: sim.certificate ?? '', agent: false as const }
    request(`${sim.url}/v1/models`, options, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .on('error', reject)
      .end()
  })
}
