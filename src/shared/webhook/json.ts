/** JSON as the Go program writes and reads it. */

/** The characters that Go escapes in every text, so that JSON may stand in HTML. */
const escaped = /[<>&\u2028\u2029]/g
const escapeOf = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** One document and a newline. @throws TypeError for what is no JSON */
export const encodeJson = (value: unknown): string => `${JSON.stringify(value).replace(escaped, escapeOf)}\n`

/** Where the object that begins at `start` ends; -1 if it does not. */
function endOfObject(text: string, start: number): number {
  let depth = 0
  let inText = false
  for (let at = start; at < text.length; at++) {
    const character = text[at]
    if (inText) {
      if (character === '\\') at++
      else if (character === '"') inText = false
    } else if (character === '"') inText = true
    else if (character === '{' || character === '[') depth++
    else if ((character === '}' || character === ']') && --depth === 0) return at + 1
  }
  return -1
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * The first value in the text; what comes after an object is ignored.
 * @throws Error without a word of the text, which may hold secrets
 */
export function firstJsonValue(text: string): unknown {
  const whole = parse(text)
  if (whole !== undefined) return whole
  const start = text.search(/\S/)
  if (start === -1) throw new Error('it is empty')
  const end = text[start] === '{' ? endOfObject(text, start) : -1
  const first = end === -1 ? undefined : parse(text.slice(start, end))
  if (first === undefined) throw new Error('it is not JSON')
  return first
}
