/** A self-signed certificate for loopback, made by the `openssl` program. */

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { TurnkeeperError } from '../../errors.ts'

/** Both in PEM. */
export type Certificate = { readonly key: string; readonly cert: string }

/** Valid for two days, for `localhost` and 127.0.0.1. Throws `invalid_config` where there is no openssl. */
export async function selfSignedCertificate(): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), 'turnkeeper-sim-'))
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost']
  const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1']
  try {
    await promisify(execFile)('openssl', [...request, ...names, '-keyout', keyFile, '-out', certFile])
    return { key: await readFile(keyFile, 'utf8'), cert: await readFile(certFile, 'utf8') }
  } catch (cause) {
    const remedy = 'install openssl, or pass tls: { key, cert }'
    throw new TurnkeeperError(
      'invalid_config',
      `the simulated upstream needs openssl for a certificate: ${remedy}`,
      {
        cause,
      },
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
