/** Attempts to log in, and what became of them. */
import type { RecordOfType } from '../../../shared/audit/record.ts'
import { textField } from '../../../shared/audit/record.ts'
import type { Inquiry } from '../../../shared/webhook/data.ts'
import type { Login } from '../../audit/login.ts'
import type { Recorder } from '../../audit/recorder.ts'
import type { Ask, Attempt, AuthVerdict, Connection } from '../../ports.ts'
import { keyLine } from '../../webhook/protocol.ts'

type Outcome = AuthVerdict['outcome']
type Interactive = Extract<Attempt, { readonly method: 'keyboard-interactive' }>
type KeyAttempt = Extract<Attempt, { readonly method: 'publickey' }>

export function recordAttempts(recorder: Recorder, login: Login, inner: Connection): Connection['authenticate'] {
  const recordKey = keyRecords(recorder)
  return async (username, attempt, signal) => {
    let conclude: (verdict: AuthVerdict) => void
    let inside = attempt
    switch (attempt.method) {
      case 'none':
        return inner.authenticate(username, attempt, signal)
      case 'password':
        conclude = recordPassword(recorder, username, attempt.password)
        break
      case 'publickey':
        conclude = recordKey(username, attempt)
        break
      case 'keyboard-interactive':
        inside = { ...attempt, ask: recordConversation(recorder, username, attempt) }
        conclude = (verdict) => concludeInteractive(recorder, username, verdict)
        break
      default:
        attempt satisfies never
        throw new Error('unreachable: an attempt of an unknown kind')
    }
    recorder.flush()
    const verdict = await inner.authenticate(username, inside, signal)
    conclude(verdict)
    if (isRight(verdict.outcome)) login.passed(attempt)
    recorder.flush()
    return verdict
  }
}

/** What was right as the first of several steps was right. */
const isRight = (outcome: Outcome): boolean => outcome === 'success' || outcome === 'partial'
const reasonOf = (verdict: AuthVerdict): string => ('fault' in verdict ? verdict.fault.message : '')

function recordPassword(recorder: Recorder, username: string, given: Uint8Array): (verdict: AuthVerdict) => void {
  // A copy: it is wiped when the attempt has been decided.
  const password = recorder.config.intercept.passwords ? Buffer.from(given) : null
  recorder.add('auth_password', null, { username, password })
  return (verdict) => {
    const { outcome } = verdict
    if (isRight(outcome)) recorder.add('auth_password_successful', null, { username, password })
    else if (outcome === 'failure') recorder.add('auth_password_failed', null, { username, password })
    else recorder.add('auth_password_backend_error', null, { username, password, reason: reasonOf(verdict) })
    password?.fill(0)
  }
}

/**
 * A key is `successful` when the client has proven that it has it: the question whether a key would do leaves only
 * `auth_pubkey`, and the signature that follows adds the verdict, not another attempt.
 */
function keyRecords(recorder: Recorder) {
  let asked: string | undefined
  return (username: string, { blob, signed }: KeyAttempt): ((verdict: AuthVerdict) => void) => {
    const payload = { username, key: keyLine(blob) }
    const attempt = `${username} ${payload.key}`
    if (!signed || asked !== attempt) recorder.add('auth_pubkey', null, payload)
    asked = undefined
    return (verdict) => {
      const { outcome } = verdict
      if (!isRight(outcome)) {
        if (outcome === 'failure') recorder.add('auth_pubkey_failed', null, payload)
        else recorder.add('auth_pubkey_backend_error', null, { ...payload, reason: reasonOf(verdict) })
      } else if (signed) recorder.add('auth_pubkey_successful', null, payload)
      else asked = attempt
    }
  }
}

function recordConversation(recorder: Recorder, username: string, { ask }: Interactive): Ask {
  return async (inquiry) => {
    const { instruction, prompts } = inquiry
    const questions = prompts.slice(0, mostPrompts).map(({ text, echo }) => ({ question: shortened(text), echo }))
    const payload = { username, instruction: shortened(instruction), questions }
    recorder.add('auth_keyboard_interactive_challenge', null, payload)
    recorder.flush()
    const answers = await ask(inquiry)
    if (answers !== undefined) {
      const given = recorder.config.intercept.passwords ? answers : undefined
      recorder.add('auth_keyboard_interactive_answer', null, { username, answers: answersOf(inquiry, given) })
      recorder.flush()
    }
    return answers
  }
}

/** A batch has its limit. Texts of a webhook in UTF-16 units, answers in bytes, which may become four times as many. */
const longestText = 1024
const longestAnswerBytes = 1024
const mostPrompts = 32
const shortened = (text: string): string => text.slice(0, longestText)

type Answers = RecordOfType<'auth_keyboard_interactive_answer'>['payload']['answers']

const answersOf = ({ prompts }: Inquiry, given: readonly Uint8Array[] | undefined): Answers =>
  prompts.slice(0, mostPrompts).map(({ text }, index) => {
    const question = shortened(text)
    const { text: answer, raw: answerRaw } = textField(
      given?.[index]?.subarray(0, longestAnswerBytes) ?? Buffer.alloc(0),
    )
    return answerRaw === undefined ? { question, answer } : { question, answer, answerRaw }
  })

/** Success has no message of its own: what follows says that the user is in. */
function concludeInteractive(recorder: Recorder, username: string, verdict: AuthVerdict): void {
  const { outcome } = verdict
  if (outcome === 'failure') recorder.add('auth_keyboard_interactive_failed', null, { Username: username })
  else if (outcome === 'unavailable') {
    recorder.add('auth_keyboard_interactive_backend_error', null, { username, reason: reasonOf(verdict) })
  }
}
