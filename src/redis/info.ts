/** The lines of an INFO reply, by name. */
export function parseInfo(text: string): ReadonlyMap<string, string> {
  const info = new Map<string, string>()
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) info.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return info
}
