/** Whether an Accept header (RFC 9110 section 12.5.1) admits JSON, the only thing that there is. */

export type Acceptance = 'yes' | 'no' | 'malformed'

const admitting = ['*/*', 'application/*', 'application/json']

export function acceptsJson(header: string | undefined): Acceptance {
  if (header === undefined) return 'yes'
  let found: Acceptance = 'no'
  for (const part of header.split(',')) {
    const [type = '', ...parameters] = part.split(';').map((word) => word.trim().toLowerCase())
    const weights = parameters.filter((parameter) => /^q\s*=/.test(parameter)).map((text) => text.split('=')[1]?.trim())
    if (weights.some((weight) => !/^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight ?? ''))) return 'malformed'
    if (admitting.includes(type) && !weights.some((weight) => Number(weight) === 0)) found = 'yes'
  }
  return found
}
