import { expect, test } from 'vitest'
import { createSeriesTable } from '../../src/telemetry/metrics/series.ts'

test('the same label values lead to the same cell, in whatever order they are given', () => {
  const table = createSeriesTable(['route', 'outcome'], () => ({ value: 0 }))
  table.at({ route: 'a', outcome: 'ok' }).value += 1
  table.at({ outcome: 'ok', route: 'a' }).value += 1
  table.at({ route: 'ok', outcome: 'a' }).value += 1
  expect(table.all()).toEqual([
    { labels: { route: 'a', outcome: 'ok' }, cell: { value: 2 } },
    { labels: { route: 'ok', outcome: 'a' }, cell: { value: 1 } },
  ])
})

test('labels that nobody named are left out, and what the caller does to its object later changes nothing', () => {
  const table = createSeriesTable(['route'], () => ({ value: 0 }))
  const labels = { route: 'a', surplus: 'x' }
  const cell = table.at(labels)
  labels.route = 'b'
  expect(table.at({ route: 'a' })).toBe(cell)
  expect(table.all().map((series) => series.labels)).toEqual([{ route: 'a' }])
})

test('a metric without labels has one cell', () => {
  const table = createSeriesTable([], () => ({ value: 0 }))
  expect(table.at({})).toBe(table.at({}))
  expect(table.all()).toHaveLength(1)
})
