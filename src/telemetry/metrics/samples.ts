/** One line of a metrics page. */
export type Sample = {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)/
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g
const ESCAPES: Readonly<Record<string, string>> = { n: '\n' }

/**
 * The samples of a page in the text format of Prometheus; lines that are none are passed over.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function pageToSamples(page: string): readonly Sample[] {
  return page.split('\n').flatMap((line) => {
    const [, name, inside = '', value = ''] = line.startsWith('#') ? [] : (LINE.exec(line) ?? [])
    if (name === undefined) return []
    const labels = [...inside.matchAll(LABEL)].map(([, label = '', text = '']) => [label, unescaped(text)])
    return [{ name, labels: Object.fromEntries(labels), value: toNumber(value) }]
  })
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_whole, sign: string) => ESCAPES[sign] ?? sign)
}

function toNumber(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY
  return text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text)
}
