/** What `disableCommand` of the backends until 0.4 means: a shell, but no command and no subsystem. */
import { type Fault, fault } from '../../shared/codes/fault.ts'
import type { Program, Sandbox } from '../ports.ts'
import { explain } from './explain.ts'

type Code = 'DOCKERRUN_EXEC_DISABLED' | 'KUBERUN_EXEC_DISABLED'

/** The same room where it is `disabled`, else the room itself. */
export const shellsOnly = (disabled: boolean, code: Code, inner: Sandbox): Sandbox =>
  disabled
    ? {
        ...inner,
        async run(program, stdio, signal) {
          if (program.what.kind === 'shell') return inner.run(program, stdio, signal)
          const refused = refusal(code, program.what)
          await explain(refused, stdio, program)
          throw refused
        },
      }
    : inner

/** As long as in the records of other refusals. */
const longestShown = 1024

const refusal = (code: Code, what: Exclude<Program['what'], { kind: 'shell' }>): Fault =>
  fault(code, what.kind === 'exec' ? { command: what.command.slice(0, longestShown) } : { subsystem: what.name })
