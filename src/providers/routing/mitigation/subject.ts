/** What has a mitigation: an alias (all of its traffic), or one segment of it (the traffic of one API key). */

import type { AliasConfig } from '../../../config/config.ts'

/** An alias that has a fallback. */
export type MitigatedAlias = AliasConfig & Required<Pick<AliasConfig, 'mitigation'>>

/** The segment of calls that name none. */
export const DEFAULT_SEGMENT = 'default'

const LONGEST = 128

/** An alias never has a `#` in its name. */
export function segmentSubject(alias: string, segment: string = DEFAULT_SEGMENT): string {
  return `${alias}#${segment.slice(0, LONGEST)}`
}

export function aliasOfSubject(subject: string): string {
  return subject.split('#', 1)[0] ?? subject
}

/** Undefined for an alias as a whole. */
export function segmentOfSubject(subject: string): string | undefined {
  const at = subject.indexOf('#')
  return at < 0 ? undefined : subject.slice(at + 1)
}
