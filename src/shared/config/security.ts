/** `security`: what a logged-in user may ask for. */
import * as z from 'zod'
import { endpointRuleProblem } from '../endpoint-rule.ts'
import { patternProblem } from '../pattern.ts'
import { checked, choice, integer, list, section, textOr } from './fields.ts'

const modes = ['', 'enable', 'filter', 'disable'] as const
const mode = () => choice(modes, '')
/** Closed unless opened, and an unknown word is an error: the Go program took it for `enable`. */
const closed = () => choice(['enable', 'filter', 'disable'], 'disable')

const glob = checked((text) => patternProblem({ glob: text })).optional()
const regex = checked((text) => patternProblem({ regex: text })).optional()
const expected = '"text", {glob: "…"} or {regex: "…"}'
const pattern = z
  .strictObject({ glob, regex })
  .refine(({ glob, regex }) => (glob === undefined) !== (regex === undefined), {
    error: `has not exactly one of glob and regex; expected ${expected}`,
  })
/**
 * A text stands for itself, letter by letter; patterns are mappings, so that no text can be taken for one. They match
 * the whole value or nothing. A value of more than 4096 characters matches no pattern that allows and each that denies.
 */
const entries = () => list(textOr(pattern, `is neither a text nor a pattern; expected ${expected}`))
/** `HOST:PORT`, see `endpoint-rule.ts`. Names are compared as the client wrote them, not resolved. */
const endpoints = () => list(checked(endpointRuleProblem))

/**
 * Of each block: `enable` lets everything pass but what `deny` lists; `filter` only what `allow` lists and `deny` does
 * not, and nothing where there is no list; `disable` nothing.
 */
export const security = section({
  /** For every block without a mode of its own; for forwarding where it is the stricter one. */
  defaultMode: mode(),
  /** Runs in place of each shell, command and subsystem, which it finds in SSH_ORIGINAL_COMMAND. */
  forceCommand: checked((text) =>
    text !== '' && text.trim() === '' ? 'is blank; expected a command' : undefined,
  ).default(''),
  /** By name. */
  env: section({ mode: mode(), allow: entries(), deny: entries() }),
  /** By the whole command line. A pattern that lets `;` or `$(` through lets the shell do anything. */
  command: section({ mode: mode(), allow: entries(), deny: entries() }),
  shell: section({ mode: mode() }),
  subsystem: section({ mode: mode(), allow: entries(), deny: entries() }),
  forwarding: section({
    /** tcpip-forward, by the address and port to listen on; port 0, any free one, needs a rule with 0 or `*`. */
    reverseForwardingMode: closed(),
    /** direct-tcpip. */
    forwardingMode: closed(),
    /** direct-streamlocal, by path. A path with `.`, `..` or `//` in it matches nothing that allows, all that denies. */
    socketForwardingMode: closed(),
    /** streamlocal-forward, by path. */
    socketListenMode: closed(),
    x11ForwardingMode: closed(),
    agentForwardingMode: closed(),
    reverseForwardingAllow: endpoints(),
    reverseForwardingDeny: endpoints(),
    forwardingAllow: endpoints(),
    forwardingDeny: endpoints(),
    socketForwardingAllow: entries(),
    socketForwardingDeny: entries(),
    socketListenAllow: entries(),
    socketListenDeny: entries(),
  }),
  tty: section({ mode: mode() }),
  /** Signal names without SIG. */
  signal: section({ mode: mode(), allow: entries(), deny: entries() }),
  /** Sessions at a time per connection; -1: no limit; 0: none, where the Go program, which could not say that, read -1. */
  maxSessions: integer(-1, -1),
  /**
   * Refusals per connection and minute that have a record of their own in the log; ten times as many end the connection.
   * 0: no limit.
   */
  maxRefusals: integer(100, 0, 1_000_000),
})
