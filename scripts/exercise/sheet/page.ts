import type { Dashboard, Panel, PanelData, TimeRange } from '../panels.ts'
import { escaped } from './format.ts'
import { linesSvg } from './lines.ts'
import { numbersHtml, statesHtml, tableHtml } from './values.ts'

/** Pixels of a twenty-fourth of the width, and of a unit of height. */
const COLUMN = 66
const ROW = 36
const GAP = 6
const HEAD = 24

export type Page = { readonly html: string; readonly width: number; readonly height: number }

/** One dashboard with its data, drawn where Grafana would draw it. */
export function contactSheet(
  dashboard: Dashboard,
  { data, range }: { readonly data: readonly PanelData[]; readonly range: TimeRange },
): Page {
  const width = 24 * COLUMN
  const height = Math.max(...dashboard.panels.map(({ gridPos: { y, h } }) => y + h)) * ROW + 50
  const rows = dashboard.panels.filter(({ type }) => type === 'row')
  const boxes = [
    ...rows.map((panel) => `<h2 style="${position(panel)}">${escaped(panel.title)}</h2>`),
    ...data.map((one) => box(one, range)),
  ]
  const html = `<!doctype html><meta charset="utf-8"><style>${STYLE}</style><h1>${escaped(dashboard.title)}</h1><main>${boxes.join('\n')}</main>`
  return { html, width, height }
}

function box(data: PanelData, range: TimeRange): string {
  const { panel, answers } = data
  const frame = {
    width: panel.gridPos.w * COLUMN - GAP - 16,
    height: panel.gridPos.h * ROW - GAP - HEAD - 12,
    range,
  }
  const problem = answers.find(({ error }) => error !== undefined)?.error
  const isEmpty = answers.every(({ series }) => series.length === 0)
  const body =
    problem !== undefined
      ? `<p class="problem">${escaped(problem)}</p>`
      : isEmpty
        ? '<p class="empty">No data</p>'
        : draw(data, frame)
  return `<section style="${position(panel)}"><h3>${escaped(panel.title)}</h3>${body}</section>`
}

function draw(data: PanelData, frame: { width: number; height: number; range: TimeRange }): string {
  switch (data.panel.type) {
    case 'stat':
      return numbersHtml(data)
    case 'table':
      return tableHtml(data, frame)
    case 'state-timeline':
      return statesHtml(data, frame)
    default:
      return linesSvg(data, frame)
  }
}

function position({ gridPos: { x, y, w, h } }: Panel): string {
  return `left:${x * COLUMN}px;top:${y * ROW}px;width:${w * COLUMN - GAP}px;height:${h * ROW - GAP}px`
}

const STYLE = `
  body { margin: 0; background: #f4f5f7; font: 12px/1.3 "DejaVu Sans", sans-serif; color: #24292e }
  h1 { font-size: 17px; margin: 10px 8px 8px; height: 22px }
  main { position: relative; margin-left: ${GAP / 2}px }
  h2 { position: absolute; margin: 0; font-size: 14px; display: flex; align-items: end; padding-left: 4px }
  section { position: absolute; background: #fff; border: 1px solid #d8dbe0; border-radius: 3px; padding: 5px 8px; box-sizing: border-box; overflow: hidden }
  h3 { font-size: 12px; margin: 0 0 4px; height: 16px; overflow: hidden }
  text { font-size: 10px; fill: #6a737d }
  .grid { stroke: #eceef1 }
  .key { display: flex; gap: 8px; font-size: 11px; height: 15px; overflow: hidden; white-space: nowrap }
  .key i { width: 10px; height: 3px; margin-top: 6px; flex: none }
  .key span { flex: 1; overflow: hidden; text-overflow: ellipsis }
  .key b { font-weight: normal; min-width: 84px; text-align: right; color: #57606a }
  .numbers { display: flex; gap: 12px; height: calc(100% - 26px); align-items: center; justify-content: space-evenly }
  .number { font-size: 27px; text-align: center; white-space: nowrap }
  .number small { display: block; font-size: 11px; color: #57606a }
  .states { display: flex; flex-direction: column; gap: 6px }
  .state { display: flex; align-items: center; flex: 1; max-height: 60px; font-size: 11px }
  .state > span { width: 270px; flex: none; overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
  .state > div { position: relative; flex: 1; height: 100%; background: #eceef1; margin-right: 16px }
  .state i { position: absolute; top: 0; bottom: 0; overflow: hidden }
  .state em { color: #fff; font-style: normal; padding-left: 4px; line-height: 26px; white-space: nowrap }
  table { border-collapse: collapse; font-size: 11px; width: 100% }
  th { text-align: left; color: #57606a; border-bottom: 1px solid #d8dbe0 }
  td, th { padding: 2px 6px; white-space: nowrap; height: 16px }
  td.value, th.value { text-align: right }
  .empty, .problem { color: #8b949e; text-align: center; margin-top: 30px }
  .problem { color: #d92b3a }
`
