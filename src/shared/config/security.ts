/** `security`: what a logged-in user may ask for. */
import { choice, integer, section, text, texts } from './fields.ts'

const modes = ['', 'enable', 'filter', 'disable'] as const
const mode = () => choice(modes, '')
/** Closed unless opened, and an unknown word is an error: the Go program took it for `enable`. */
const closed = () => choice(['enable', 'filter', 'disable'], 'disable')

export const security = section({
  /** For every block without a mode of its own; forwarding always has one. */
  defaultMode: mode(),
  forceCommand: text(),
  env: section({ mode: mode(), allow: texts(), deny: texts() }),
  command: section({ mode: mode(), allow: texts() }),
  shell: section({ mode: mode() }),
  subsystem: section({ mode: mode(), allow: texts(), deny: texts() }),
  forwarding: section({
    reverseForwardingMode: closed(),
    forwardingMode: closed(),
    socketForwardingMode: closed(),
    socketListenMode: closed(),
    x11ForwardingMode: closed(),
  }),
  tty: section({ mode: mode() }),
  /** Signal names without SIG. */
  signal: section({ mode: mode(), allow: texts(), deny: texts() }),
  /** Sessions at a time per connection; -1: no limit. */
  maxSessions: integer(-1, -1),
})
