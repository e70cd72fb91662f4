import type { LineCounter as Lines, YAMLError } from 'yaml'
import { configError, type Problem } from '../problems.ts'

const MAX_BYTES = 1024 * 1024
const MAX_ALIASES = 100

/**
 * The value of one YAML 1.2 document (JSON is one). Refuses duplicate keys, tags, more than one document, more
 * than 1 MiB and alias bombs with `config/invalid_config`, telling lines but never quoting the text.
 */
export async function parseYaml(text: string, source: string): Promise<unknown> {
  if (Buffer.byteLength(text) > MAX_BYTES) {
    throw configError(source, [{ path: '', text: 'expected at most 1 MiB of YAML' }])
  }
  const { LineCounter, parseDocument } = await import('yaml') // only where there is a file to read
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: true, schema: 'core' })
  const faults = [...document.errors, ...document.warnings]
  if (faults.length > 0) throw configError(source, faults.map(problemFromFault(lineCounter)))
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES })
  } catch {
    throw configError(source, [{ path: '', text: `expected at most ${MAX_ALIASES} uses of YAML aliases` }])
  }
}

const problemFromFault =
  (lines: Lines) =>
  (fault: YAMLError): Problem => {
    const { line, col } = lines.linePos(fault.pos[0])
    return { path: `line ${line}, column ${col}`, text: faultText(fault) }
  }

/** The messages of these two codes quote the text, which may be a key. */
function faultText({ code, message }: YAMLError): string {
  if (code === 'TAG_RESOLVE_FAILED') return 'tags are not allowed'
  if (code === 'UNEXPECTED_TOKEN') return 'not valid YAML here'
  if (code === 'DUPLICATE_KEY') return 'this key stands here twice'
  return message
}
