/** What values and series are called and coloured, the same on every panel. Colours are Grafana's names. */

export type State = { readonly value: number; readonly text: string; readonly color: string }

/** `route:route_health_state:code`. */
export const BREAKER: readonly State[] = [
  { value: 0, text: 'closed', color: 'green' },
  { value: 1, text: 'degraded', color: 'yellow' },
  { value: 2, text: 'half-open', color: 'orange' },
  { value: 3, text: 'open', color: 'red' },
]

export const HELD: readonly State[] = [
  { value: 0, text: 'as configured', color: 'green' },
  { value: 1, text: 'held on the fallback', color: 'purple' },
]

export const DEAF: readonly State[] = [
  { value: 0, text: 'listens', color: 'green' },
  { value: 1, text: 'deaf', color: 'red' },
]

export const SOUNDS: readonly State[] = [
  { value: 0, text: 'silent', color: 'red' },
  { value: 1, text: 'sounds', color: 'green' },
]

export const LOADED: readonly State[] = [
  { value: 0, text: 'refused', color: 'red' },
  { value: 1, text: 'loaded', color: 'green' },
]

/** Colours of series by their name: what is well is green, whatever else stands beside it. */
export type Colors = Readonly<Record<string, string>>

const GREY = '#8e8e8e'

export const TURN_COLORS: Colors = { ok: 'green', failed: 'red', cancelled: GREY }

export const ATTEMPT_COLORS: Colors = {
  ok: 'green',
  html: 'orange',
  stall: 'purple',
  timeout: 'light-purple',
  http_429: 'yellow',
  http_5xx: 'red',
  auth: 'dark-red',
  network: 'dark-orange',
  invalid_response: 'dark-purple',
  client_error: 'blue',
  cancelled: GREY,
}

export const CONTENT_COLORS: Colors = {
  json: 'dark-green',
  sse: 'green',
  ndjson: 'light-green',
  html: 'orange',
  binary: 'red',
  empty: 'purple',
  other: GREY,
}

export const STATUS_COLORS: Colors = {
  200: 'green',
  400: 'light-blue',
  401: 'blue',
  404: 'dark-blue',
  429: 'yellow',
  500: 'red',
  502: 'dark-red',
  503: 'light-red',
}
