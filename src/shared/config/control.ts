/** The section `control`. */
import { checked, flag, ours, section, text } from './fields.ts'

/** Of `sockaddr_un` on Linux, less the name of the process that comes after the path; see unix(7). */
export const LONGEST_SOCKET_PATH = 96

const pathProblem = (path: string): string | undefined => {
  if (path === '') return undefined
  if (!path.startsWith('/')) return 'is not an absolute path; expected e.g. "/run/containerssh/control.sock"'
  return Buffer.byteLength(path) > LONGEST_SOCKET_PATH
    ? `is too long; expected ${LONGEST_SOCKET_PATH} bytes at most`
    : undefined
}
const modeProblem = (mode: string): string | undefined =>
  /^0?[0-7]{3}$/.test(mode) ? undefined : 'is not the mode of a file; expected e.g. "0660"'

export const control = section({
  enable: flag(true).meta(ours('Has a socket, if there is a place for it.')),
  path: checked(pathProblem)
    .default('')
    .meta(
      ours(
        'Where it is. Empty: `control.sock` in the folder that systemd makes (`RuntimeDirectory=`); without systemd there is none then.',
      ),
    ),
  mode: checked(modeProblem).default('0660').meta(ours('Its mode, in octal: who may write to it may do everything.')),
  group: text().meta(ours('Its group, a name or a number; empty: that of the process.')),
})
