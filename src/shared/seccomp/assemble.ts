/**
 * Classic BPF (linux/filter.h) for seccomp(2), as far as a filter needs it that looks at the number of a system call and at
 * the lower half of one argument. Jumps are one instruction long, so none can be too far.
 */
import type { Architecture } from './system-calls.ts'

/** An instruction: code, jump if true, jump if false, operand. */
type Instruction = readonly [code: number, jt: number, jf: number, k: number]

const LOAD_WORD = 0x20 // BPF_LD | BPF_W | BPF_ABS
const EQUAL = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
const AT_LEAST = 0x35 // BPF_JMP | BPF_JGE | BPF_K
const HAS_ANY = 0x45 // BPF_JMP | BPF_JSET | BPF_K
const RETURN = 0x06 // BPF_RET | BPF_K
const INSTRUCTION_BYTES = 8
/** BPF_MAXINSNS. */
const MOST_INSTRUCTIONS = 4096

// struct seccomp_data (linux/seccomp.h), little endian.
const NUMBER_AT = 0
const ARCHITECTURE_AT = 4
const ARGUMENTS_AT = 16

const ALLOW = 0x7fff_0000
const ERRNO = 0x0005_0000
const KILL_PROCESS = 0x8000_0000
/** Of the x32 interface, whose calls are others under the same numbers. */
const X32_BIT = 0x4000_0000

/** Values of AUDIT_ARCH (linux/audit.h). */
const architectures: Readonly<Record<Architecture, number>> = { x64: 0xc000_003e, arm64: 0xc000_00b7 }

export const errno = { EPERM: 1, ENOSYS: 38, EAFNOSUPPORT: 97 } as const

export type Rule =
  | { readonly kind: 'deny'; readonly call: number; readonly errno: number }
  /** Refused if the argument has one of these bits. */
  | { readonly kind: 'denyBits'; readonly call: number; readonly argument: number; readonly bits: number }
  /** Refused with these values of the argument, allowed with others; or the other way round. */
  | {
      readonly kind: 'denyValues' | 'allowValues'
      readonly call: number
      readonly argument: number
      readonly values: readonly number[]
      readonly errno: number
    }

/** The program of a filter that allows what no rule refuses; as many `struct sock_filter` as needed. @throws Error */
export function assemble(architecture: Architecture, rules: readonly Rule[]): Buffer {
  const program: Instruction[] = [
    [LOAD_WORD, 0, 0, ARCHITECTURE_AT],
    [EQUAL, 1, 0, architectures[architecture]],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD_WORD, 0, 0, NUMBER_AT],
    ...(architecture === 'x64' ? when(AT_LEAST, X32_BIT, [[RETURN, 0, 0, ERRNO | errno.ENOSYS]]) : []),
    ...rules.flatMap((rule) => when(EQUAL, rule.call, verdict(rule))),
    [RETURN, 0, 0, ALLOW],
  ]
  if (program.length > MOST_INSTRUCTIONS) throw new Error(`a filter of ${program.length} instructions is too long`)
  const bytes = Buffer.alloc(program.length * INSTRUCTION_BYTES)
  program.forEach(([code, jt, jf, k], index) => {
    const at = index * INSTRUCTION_BYTES
    bytes.writeUInt16LE(code, at)
    bytes.writeUInt8(jt, at + 2)
    bytes.writeUInt8(jf, at + 3)
    bytes.writeUInt32LE(k >>> 0, at + 4)
  })
  return bytes
}

/** Skips what follows unless the comparison holds. */
const when = (comparison: number, value: number, then: readonly Instruction[]): Instruction[] => [
  [comparison, 0, then.length, value],
  ...then,
]

/** Always ends with a return, so the number need not be loaded again. */
function verdict(rule: Rule): Instruction[] {
  const refuse = (code: number): Instruction => [RETURN, 0, 0, ERRNO | code]
  const allow: Instruction = [RETURN, 0, 0, ALLOW]
  if (rule.kind === 'deny') return [refuse(rule.errno)]
  const load: Instruction = [LOAD_WORD, 0, 0, ARGUMENTS_AT + 8 * rule.argument]
  if (rule.kind === 'denyBits') return [load, ...when(HAS_ANY, rule.bits, [refuse(errno.EPERM)]), allow]
  const [hit, miss] = rule.kind === 'denyValues' ? [refuse(rule.errno), allow] : [allow, refuse(rule.errno)]
  return [load, ...rule.values.flatMap((value) => when(EQUAL, value, [hit])), miss]
}
