/** Numbers as Grafana would write them, near enough. */

/** A value in its unit, short. */
export function withUnit(value: number, unit = 'none', decimals?: number): string {
  if (!Number.isFinite(value)) return '–'
  if (unit === 's') return duration(value)
  if (unit === 'percentunit') return `${trimmed(value * 100, decimals ?? 1)} %`
  if (unit === 'currencyUSD') return `$${trimmed(value, decimals ?? 2)}`
  if (unit.startsWith('suffix:')) return `${trimmed(value, decimals)}${unit.slice('suffix:'.length)}`
  return trimmed(value, decimals)
}

/** `{{label}}` replaced by the labels of a series. */
export function legendText(format: string, labels: Readonly<Record<string, string>>): string {
  return format.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (_all, name: string) => labels[name] ?? '')
}

/** Safe between tags and in quoted attributes. */
export function escaped(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return text.replaceAll(/[&<>"]/g, (character) => entities[character] ?? character)
}

function duration(seconds: number): string {
  const size = Math.abs(seconds)
  if (size === 0) return '0 s'
  if (size < 0.001) return `${trimmed(seconds * 1e6, 0)} µs`
  if (size < 1) return `${trimmed(seconds * 1e3, size < 0.01 ? 1 : 0)} ms`
  if (size < 120) return `${trimmed(seconds, size < 10 ? 2 : 0)} s`
  if (size < 7200) return `${trimmed(seconds / 60, 1)} min`
  return `${trimmed(seconds / 3600, 1)} h`
}

function trimmed(value: number, decimals?: number): string {
  if (decimals === undefined && Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en')
  const places = decimals ?? (Number.isInteger(value) ? 0 : Math.abs(value) < 10 ? 2 : 1)
  return Number(value.toFixed(places)).toString()
}
