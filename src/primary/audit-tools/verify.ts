/** `containerssh audit verify`. */
import { basename } from 'node:path'
import type { Finding, Mark } from '../../shared/audit/chain-findings.ts'
import { type ChainReport, createChainVerifier } from '../../shared/audit/chain-verifier.ts'
import { type Problem, problemText } from '../../shared/audit/problem.ts'
import { expectedKeys, fingerprint } from './expected-keys.ts'
import { UnreadableError } from './log-file.ts'
import { timeText } from './time-text.ts'
import type { Tool } from './tool.ts'

/** Exit statuses; of several logs the lowest but 0. */
const statuses = { signed: 0, damaged: 1, 'other-key': 3, incomplete: 4, unprotected: 5, unsigned: 6 } as const
type Verdict = keyof typeof statuses
/** Lines about one damaged log. */
const mostFindings = 20

/** Returns the exit status. @throws UnreadableError if the keys cannot be read */
export async function verify(tool: Tool, files: readonly string[], key: string | undefined): Promise<number> {
  const keys = key === undefined ? undefined : await expectedKeys(key)
  let status = 0
  for (const file of files) {
    const one = await statusOf(tool, file, keys)
    if (one !== 0 && (status === 0 || one < status)) status = one
  }
  return status
}

async function statusOf(tool: Tool, file: string, keys: readonly Buffer[] | undefined): Promise<number> {
  try {
    const { verdict, lines } = await verdictOf(tool, file, keys)
    await tool.print(lines.map((line) => `${file}: ${line}\n`).join(''))
    return statuses[verdict]
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error
    tool.complain(file, error.message)
    return statuses.damaged
  }
}

async function verdictOf(tool: Tool, file: string, keys: readonly Buffer[] | undefined) {
  const damage: string[] = []
  let count = 0
  const found = (text: () => string): void => {
    count++
    if (count <= mostFindings) damage.push(`damaged: ${text()}`)
    else if (count === mostFindings + 1) damage.push('damaged: more is not listed')
  }
  let cut: Problem | undefined
  const verifier = createChainVerifier((finding) => found(() => findingText(finding)))
  for await (const batch of tool.read(file, (message, place, record) => verifier.add(message, place, record))) {
    for (const item of batch) {
      if (item.kind !== 'problem') continue
      const { problem } = item
      if (problem.kind === 'truncated' || problem.kind === 'no-content') cut = problem
      else found(() => problemText(problem))
    }
  }
  const report = verifier.end()
  const named = /^[0-9a-f]{32}(?![0-9a-f])/.exec(basename(file))?.[0]
  if (named !== undefined && report.messages > 0 && named !== report.connectionId) {
    found(() => `the log of connection ${report.connectionId} has the name of another`)
  }
  // Behind the last message there is nothing that could be missing.
  if (cut !== undefined && report.isClosed) found(() => problemText(cut as Problem))
  const { verdict, line } = judge(report, keys)
  return damage.length > 0 ? ({ verdict: 'damaged', lines: damage } as const) : { verdict, lines: [line] }
}

function judge(report: ChainReport, keys: readonly Buffer[] | undefined): { verdict: Verdict; line: string } {
  const { messages, connectionId, isChained, isClosed, signer, last, lastBound } = report
  const what = `${messages} messages of connection ${connectionId}`
  if (!isChained && messages > 0) {
    return {
      verdict: 'unprotected',
      line: `unprotected: ${what}, without a chain${isClosed ? '' : ', without an end'}`,
    }
  }
  if (!isClosed) {
    if (last === undefined) return { verdict: 'incomplete', line: 'incomplete: it has no messages' }
    const bound =
      lastBound === undefined ? 'no later message confirms them' : `later ones confirm those up to ${mark(lastBound)}`
    return { verdict: 'incomplete', line: `incomplete: ${what} in their order, the last is ${mark(last)}; ${bound}` }
  }
  if (signer === undefined) return { verdict: 'unsigned', line: `intact, but not signed: ${what}` }
  const isExpected = keys?.some((key) => key.equals(signer))
  const by = `signed by ${fingerprint(signer)}`
  if (isExpected === false)
    return { verdict: 'other-key', line: `intact, but not signed by an expected key: ${what}, ${by}` }
  const known = isExpected === undefined ? 'whose key that is was not checked, see --key' : 'which is an expected key'
  return { verdict: 'signed', line: `intact: ${what}, ${by}, ${known}` }
}

const place = ({ content, member }: Mark): string => `at byte ${content} of what is compressed from byte ${member}`
const mark = (at: Mark): string => `${at.seq === undefined ? 'one' : `number ${at.seq}`} of ${timeText(at.timestamp)}`
const range = (first: number, last: number): string =>
  first === last ? `message number ${first} is` : `messages number ${first} to ${last} are`

function findingText(finding: Finding): string {
  switch (finding.kind) {
    case 'changed': {
      const { first, last } = finding
      const which = first === last ? 'this message is' : 'one of these messages, or more, are'
      return `${which} not as written: from ${mark(first)} to ${mark(last)}, ${place(first)}`
    }
    case 'removed':
      return `${range(finding.first, finding.last)} missing before ${mark(finding.before)}, ${place(finding.before)}`
    case 'foreign':
      return `a message of connection ${finding.connectionId}: ${mark(finding.at)}, ${place(finding.at)}`
    default:
      return `${texts[finding.kind]}: ${mark(finding.at)}, ${place(finding.at)}`
  }
}

const texts = {
  moved: 'a message is not in its place',
  repeated: 'a message stands here again, or was inserted',
  inserted: 'a message without a number was inserted',
  'after-end': 'a message stands behind the end of the log',
  unlinked: 'the last message is not linked to those before it',
  'bad-signature': 'the signature does not fit the last message',
} as const
