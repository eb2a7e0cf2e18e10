import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sandboxFilter } from '../../../src/shared/seccomp/filter.ts'
import type { Architecture } from '../../../src/shared/seccomp/system-calls.ts'

const ALLOW = 0x7fff_0000
const refusedWith = (errno: number): number => 0x0005_0000 + errno
const KILL = 0x8000_0000
const EPERM = 1
const ENOSYS = 38
const EAFNOSUPPORT = 97
const audit = { x64: 0xc000_003e, arm64: 0xc000_00b7 } as const

/** What the kernel would do, by bpf(4) and seccomp(2). */
function run(program: Buffer, number: number, args: readonly number[], architecture: number): number {
  const data = Buffer.alloc(64)
  data.writeUInt32LE(number, 0)
  data.writeUInt32LE(architecture, 4)
  args.forEach((arg, index) => void data.writeUInt32LE(arg, 16 + 8 * index))
  let accumulator = 0
  for (let at = 0; at < program.length / 8; at += 1) {
    const [code, jt, jf, k] = [
      program.readUInt16LE(at * 8),
      program.readUInt8(at * 8 + 2),
      program.readUInt8(at * 8 + 3),
      program.readUInt32LE(at * 8 + 4),
    ]
    if (code === 0x06) return k
    if (code === 0x20) accumulator = data.readUInt32LE(k)
    else if (code === 0x15) at += accumulator === k ? jt : jf
    else if (code === 0x35) at += accumulator >= k ? jt : jf
    else if (code === 0x45) at += (accumulator & k) !== 0 ? jt : jf
    else assert.fail(`an instruction ${code}`)
  }
  return assert.fail('the program has no end')
}

const call = (architecture: Architecture, hasNetwork: boolean, number: number, ...args: number[]): number =>
  run(sandboxFilter(architecture, hasNetwork), number, args, audit[architecture])

for (const [architecture, calls] of [
  [
    'x64',
    { read: 0, mount: 165, ptrace: 101, keyctl: 250, clone: 56, unshare: 272, ioctl: 16, socket: 41, reboot: 169 },
  ],
  [
    'arm64',
    { read: 63, mount: 40, ptrace: 117, keyctl: 219, clone: 220, unshare: 97, ioctl: 29, socket: 198, reboot: 142 },
  ],
] as const) {
  test(`on ${architecture} the filter refuses what is refused, and nothing else`, () => {
    assert.equal(call(architecture, true, calls.read), ALLOW)
    for (const number of [calls.mount, calls.ptrace, calls.keyctl, calls.reboot]) {
      assert.equal(call(architecture, true, number), refusedWith(EPERM))
    }
    assert.equal(call(architecture, true, 435), refusedWith(ENOSYS), 'clone3')
    // As a library forks, and as it makes threads.
    for (const flags of [0x11, 0x0120_0011, 0x003d_0f00])
      assert.equal(call(architecture, true, calls.clone, flags), ALLOW)
    for (const flags of [0x1000_0011, 0x4000_0011, 0x0002_0011]) {
      assert.equal(call(architecture, true, calls.clone, flags), refusedWith(EPERM))
      assert.equal(call(architecture, true, calls.unshare, flags), refusedWith(EPERM))
    }
    assert.equal(call(architecture, true, calls.unshare, 0x200), ALLOW, 'CLONE_FS')
    assert.equal(call(architecture, true, calls.ioctl, 0, 0x5412), refusedWith(EPERM), 'TIOCSTI')
    assert.equal(call(architecture, true, calls.ioctl, 0, 0x541c), refusedWith(EPERM), 'TIOCLINUX')
    assert.equal(call(architecture, true, calls.ioctl, 0, 0x5413), ALLOW, 'TIOCGWINSZ')
  })

  test(`on ${architecture} sockets are those of the network, and none but those of the file system without one`, () => {
    const AF_UNIX = 1
    const AF_VSOCK = 40
    for (const family of [AF_UNIX, 2, 10, 16]) {
      assert.equal(call(architecture, true, calls.socket, family), ALLOW)
      const without = family === AF_UNIX ? ALLOW : refusedWith(EAFNOSUPPORT)
      assert.equal(call(architecture, false, calls.socket, family), without)
    }
    assert.equal(call(architecture, true, calls.socket, AF_VSOCK), refusedWith(EAFNOSUPPORT))
  })
}

test('calls of another architecture end the process, those of x32 are unknown', () => {
  const filter = sandboxFilter('x64', true)
  assert.equal(run(filter, 0, [], 0x4000_0003), KILL, 'i386')
  assert.equal(run(filter, 0x4000_0000, [], audit.x64), refusedWith(ENOSYS))
})
