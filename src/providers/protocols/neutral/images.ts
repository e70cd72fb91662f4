/** The one neutral form of an image, and where it goes when a protocol cannot carry it in its place. */

import type { ContentPart, ImageContent, Message, TextContent } from '../../types.ts'

/** An image as a protocol wants to know it: bytes (base64) or an address; a `data:` URL is bytes. */
export type ImageSource =
  | { readonly type: 'bytes'; readonly data: string; readonly mediaType: string }
  | { readonly type: 'url'; readonly url: string }

type ToolMessage = Extract<Message, { role: 'tool' }>

const DATA_URL = /^data:([^;,]+)(?:;[^;,]+)*;base64,(.*)$/s

/** Reads all three ways of giving an image. */
export function imageSource(image: ImageContent): ImageSource {
  if ('data' in image) return { type: 'bytes', data: image.data, mediaType: image.mediaType }
  const [, mediaType, data] = DATA_URL.exec(image.url) ?? []
  return mediaType !== undefined && data !== undefined
    ? { type: 'bytes', data, mediaType }
    : { type: 'url', url: image.url }
}

/** The image of a `data:` or other URL, in the neutral form. */
export function imageFromUrl(url: string): ImageContent {
  const source = imageSource({ type: 'image', url })
  return source.type === 'url'
    ? { type: 'image', url }
    : { type: 'image', data: source.data, mediaType: source.mediaType }
}

/** The image as one URL: its own, or a `data:` URL of its bytes. */
export function imageUrl(image: ImageContent): string {
  return 'data' in image ? `data:${image.mediaType};base64,${image.data}` : image.url
}

/** Content as a list of parts, without empty texts (Anthropic refuses them). */
export function contentParts(content: string | readonly ContentPart[]): readonly ContentPart[] {
  const parts: readonly ContentPart[] =
    typeof content === 'string' ? [{ type: 'text', text: content }] : content
  return parts.filter((part) => part.type !== 'text' || part.text !== '')
}

/** All texts of some content as one. */
export function textOf(content: string | readonly ContentPart[]): string {
  if (typeof content === 'string') return content
  return content
    .filter((part): part is TextContent => part.type === 'text')
    .map(({ text }) => text)
    .join('\n')
}

/**
 * For protocols whose tool results hold text alone: the images of tool results, in one user message after the
 * last result of the same step, since nothing may stand between a call and its results.
 */
export function imagesAfterResults(messages: readonly Message[]): readonly Message[] {
  const moved: Message[] = []
  let waiting: ContentPart[] = []
  const flush = (): void => {
    if (waiting.length > 0) moved.push({ role: 'user', content: waiting })
    waiting = []
  }
  for (const message of messages) {
    if (message.role !== 'tool') flush()
    const images = message.role === 'tool' ? imagesOf(message) : []
    if (message.role !== 'tool' || images.length === 0) {
      moved.push(message)
      continue
    }
    const text = textOf(message.content)
    moved.push({ ...message, content: text === '' ? 'See the image that follows.' : text })
    waiting.push({ type: 'text', text: `Image in the result of ${message.name} (${message.toolCallId}):` })
    waiting.push(...images)
  }
  flush()
  return moved
}

function imagesOf({ content }: ToolMessage): readonly ImageContent[] {
  if (typeof content === 'string') return []
  return content.filter((part): part is ImageContent => part.type === 'image')
}
