import { TurnkeeperError } from '../errors.ts'

const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '[::1]']

/**
 * Refuses a request that was addressed to another name than this machine's own: a web page whose name was rebound
 * to 127.0.0.1 would otherwise reach a server that asks for no key (DNS rebinding).
 * @throws TurnkeeperError `auth/forbidden`.
 */
export function requireLocalHost(hostHeader: string | undefined, listensOn: string): void {
  const name = URL.parse(`http://${hostHeader ?? ''}`)?.hostname
  const own = listensOn.includes(':') ? `[${listensOn}]` : listensOn
  if (name !== undefined && (LOOPBACK.includes(name) || name === own)) return
  throw new TurnkeeperError(
    'forbidden',
    'the Host header names another machine: use localhost, 127.0.0.1 or [::1]',
  )
}
