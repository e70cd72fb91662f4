/** For series, in order. */
export const COLORS = [
  '#3274d9',
  '#56a64b',
  '#f2994a',
  '#a352cc',
  '#e0457b',
  '#17a2a2',
  '#b8860b',
  '#6d7890',
  '#8f3bb8',
  '#2f9e44',
] as const

const NAMED: Readonly<Record<string, string>> = {
  green: '#37872d',
  yellow: '#e0a800',
  orange: '#f2740d',
  red: '#d92b3a',
  purple: '#8f3bb8',
  blue: '#3274d9',
  'dark-green': '#1f5c1a',
  'light-green': '#73bf69',
  'dark-red': '#9d1423',
  'light-red': '#ff7383',
  'dark-orange': '#c15c17',
  'dark-purple': '#5b1a7a',
  'light-purple': '#c08be0',
  'dark-blue': '#1f4f9c',
  'light-blue': '#8ab8ff',
}

/** Grafana's named colours as hexadecimal ones. */
export function colorOf(name: string): string {
  return NAMED[name] ?? name
}

type Step = { readonly value: number | null; readonly color: string }

/** The colour of the highest step that a value reaches. */
export function thresholdColor(value: number, steps: readonly Step[] = []): string {
  const reached = steps.filter((step) => step.value === null || value >= step.value).at(-1)
  return colorOf(reached?.color ?? 'green')
}
