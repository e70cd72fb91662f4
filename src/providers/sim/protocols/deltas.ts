/** How a finished answer is cut into the pieces of a stream. Joined, the pieces give the answer again. */

/** Characters of one fragment of tool arguments. */
const FRAGMENT_CHARACTERS = 12

/** Word by word, each with the white space before it. */
export function textDeltas(text: string): readonly string[] {
  return text.match(/\s*\S+|\s+$/g) ?? []
}

/** Fragments that end wherever they end, but never inside a character. */
export function argumentDeltas(json: string): readonly string[] {
  const characters = [...json]
  const count = Math.ceil(characters.length / FRAGMENT_CHARACTERS)
  return Array.from({ length: count }, (_, index) =>
    characters.slice(index * FRAGMENT_CHARACTERS, (index + 1) * FRAGMENT_CHARACTERS).join(''),
  )
}
