/** What has a breaker: a route (`provider/model`) or a credential (`provider#id@fingerprint`). */

import { createHash } from 'node:crypto'
import type { CredentialConfig } from '../../../config/config.ts'

/**
 * The breaker of a credential. The fingerprint is of the key, so a key that was replaced begins with a clean record;
 * it tells nothing of the key.
 */
export function credentialSubject(provider: string, credential: CredentialConfig): string {
  const identity =
    'apiKey' in credential
      ? credential.apiKey.reveal()
      : `${credential.oauth.tokenFile} ${credential.oauth.clientId}`
  const fingerprint = createHash('sha256')
    .update(`turnkeeper ${provider} ${identity}`)
    .digest('hex')
    .slice(0, 10)
  return `${provider}#${credential.id}@${fingerprint}`
}

/** Whether a breaker is one of a credential: a route's name always has a slash, a credential's never. */
export function isCredentialSubject(subject: string): boolean {
  return !subject.includes('/')
}

/** `provider#id`, as people read it; a route as it is. */
export function subjectToName(subject: string): string {
  return isCredentialSubject(subject) ? (subject.split('@', 1)[0] ?? subject) : subject
}
