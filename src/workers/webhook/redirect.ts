/** What an answer that sends the request elsewhere asks for (RFC 9110 section 15.4). */
import type { RawAnswer } from './exchange.ts'

export interface Redirect {
  readonly location: string
  /** 307 and 308 repeat the request; the others make it a GET without a body, as every browser and the Go program do. */
  readonly repeat: boolean
}

export const redirectOf = ({ status, headers }: RawAnswer): Redirect | undefined => {
  const { location } = headers
  if (location === undefined || ![301, 302, 303, 307, 308].includes(status)) return undefined
  return { location, repeat: status >= 307 }
}
