/** `security`: what a logged-in user may ask for. */
import * as z from 'zod'
import { endpointRuleProblem } from '../endpoint-rule.ts'
import { patternProblem } from '../pattern.ts'
import { checked, choice, integer, list, ours, section, textOr } from './fields.ts'

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

const modeWords =
  'Of each block: `enable` lets everything pass but what `deny` lists; `filter` only what `allow` lists and `deny` does not, and nothing where there is no list; `disable` nothing. Empty: as `defaultMode`.'
const allow = 'What passes in mode `filter`: texts, `{glob: …}` or `{regex: …}`, which match the whole value.'
const deny = 'What is refused in the modes `enable` and `filter`, written like `allow`.'
const rules = (what: string) => ({ mode: mode().describe(what), allow: entries().describe(allow) })
const forcedCommand = checked((text) =>
  text !== '' && text.trim() === '' ? 'is blank; expected a command' : undefined,
).default('')
const hosts = 'Rules `HOST:PORT`; names are compared as the client wrote them, not resolved.'
const paths = 'Paths; one with `.`, `..` or `//` in it matches nothing that allows and all that denies.'

export const security = section({
  defaultMode: mode().describe(
    'For every block without a mode of its own, and for forwarding where it is the stricter one.',
  ),
  forceCommand: forcedCommand.describe(
    'Runs in place of each shell, command and subsystem, which it finds in SSH_ORIGINAL_COMMAND.',
  ),
  env: section({ ...rules('Environment variables, by name.'), deny: entries().describe(deny) }).describe(modeWords),
  command: section({
    ...rules('Commands, by the whole line. A pattern that lets `;` or `$(` through lets the shell do anything.'),
    deny: entries().meta(ours(deny)),
  }).describe('Commands.'),
  shell: section({ mode: mode().describe('Interactive shells.') }).describe('Shells.'),
  subsystem: section({ ...rules('Subsystems, by name.'), deny: entries().describe(deny) }).describe('Subsystems.'),
  forwarding: section({
    reverseForwardingMode: closed().describe(
      '`ssh -R`, by the address and port to listen on; port 0, any free one, needs a rule with 0 or `*`.',
    ),
    forwardingMode: closed().describe('`ssh -L` and `-D`, by the target.'),
    socketForwardingMode: closed().describe('`ssh -L` to a socket, by its path.'),
    socketListenMode: closed().describe('`ssh -R` of a socket, by its path.'),
    x11ForwardingMode: closed().describe('`ssh -X`.'),
    agentForwardingMode: closed().meta(ours('`ssh -A`.')),
    reverseForwardingAllow: endpoints().meta(ours(hosts)),
    reverseForwardingDeny: endpoints().meta(ours(hosts)),
    forwardingAllow: endpoints().meta(ours(hosts)),
    forwardingDeny: endpoints().meta(ours(hosts)),
    socketForwardingAllow: entries().meta(ours(paths)),
    socketForwardingDeny: entries().meta(ours(paths)),
    socketListenAllow: entries().meta(ours(paths)),
    socketListenDeny: entries().meta(ours(paths)),
  }).describe('Forwarding; closed unless opened.'),
  tty: section({ mode: mode().describe('Terminals.') }).describe('Terminals.'),
  signal: section({ ...rules('Signals, by name without SIG.'), deny: entries().describe(deny) }).describe('Signals.'),
  maxSessions: integer(-1, -1).describe(
    'Sessions at a time per connection; -1: no limit; 0: none, where the Go program, which could not say that, read -1.',
  ),
  maxRefusals: integer(100, 0, 1_000_000).meta(
    ours(
      'Refusals per connection and minute that have a record of their own in the log; ten times as many end the connection. 0: no limit.',
    ),
  ),
})
