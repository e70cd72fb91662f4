import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { Page } from './page.ts'

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome']

/** The browser that draws pages, if one is on the path. */
export function findBrowser(path: string = process.env.PATH ?? ''): string | undefined {
  return BROWSERS.flatMap((name) => path.split(delimiter).map((folder) => join(folder, name))).find((file) =>
    existsSync(file),
  )
}

/** Draws a page into a PNG file; throws when the browser leaves none. */
export function writePicture(
  page: Page,
  { browser, file }: { readonly browser: string; readonly file: string },
): void {
  const folder = mkdtempSync(join(tmpdir(), 'tk-sheet-'))
  try {
    const source = join(folder, 'page.html')
    writeFileSync(source, page.html)
    const drawn = spawnSync(
      browser,
      [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--hide-scrollbars',
        `--user-data-dir=${join(folder, 'profile')}`,
        `--window-size=${page.width},${page.height}`,
        `--screenshot=${file}`,
        `file://${source}`,
      ],
      { encoding: 'utf8', timeout: 60_000 },
    )
    if (!existsSync(file)) throw new Error(`${browser} drew nothing: ${drawn.stderr.slice(-500)}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
