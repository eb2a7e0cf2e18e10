import type { Fault } from './codes/fault.ts'

/**
 * What a client reads that is turned away before the identification string: one line, as OpenSSH does it. RFC 4253
 * section 4.2 allows lines before that string. With CR LF.
 */
export const refusalLine = ({ code, userText }: Fault): string => `Not allowed at this time: ${userText} (${code})\r\n`
