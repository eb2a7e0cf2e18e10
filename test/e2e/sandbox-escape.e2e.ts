/** What somebody tries who wants out of his sandbox, by the real client: each attempt is refused or contained. */
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { until } from '../rigs/daemon.ts'
import { type SandboxLogin, sandboxLogin } from '../rigs/sandbox-login.ts'

const mebibyte = 2 ** 20
const perl = (script: string): string => `perl -e '${script}'`
/** Of x86-64; the rig's machine. */
const sys = {
  mount: 165,
  unshare: 272,
  setns: 308,
  ptrace: 101,
  keyctl: 250,
  bpf: 321,
  perf: 298,
  uring: 425,
  clone: 56,
}
const tried = (number: number, args: string): string =>
  perl(`my @a = (${args}); $r = syscall(${number}, @a); print $r < 0 ? $!+0 : "done"`)
const EPERM = '1'

for (const tool of ['bwrap', 'unshare'])
  describe(`out of a sandbox that ${tool} made`, { concurrency: 1 }, () => {
    let host: SandboxLogin
    let server: Server
    let port: number
    let reached = 0
    before(async () => {
      host = await sandboxLogin({
        tool,
        limits: { memory: 256 * mebibyte, pids: 64, disk: 16 * mebibyte, openFiles: 256 },
      })
      server = createServer((socket) => {
        reached += 1
        socket.destroy()
      }).listen(0, '127.0.0.1')
      await new Promise((done) => server.once('listening', done))
      port = (server.address() as { port: number }).port
    })
    after(async () => {
      server.close()
      await host[Symbol.asyncDispose]()
    })
    const run = async (script: string): Promise<{ code: number | null; out: string }> => {
      const { code, stdout, stderr } = await host.client.run([script], { timeoutMs: 60_000 })
      return { code, out: `${stdout}${stderr}`.trim() }
    }

    test('nobody has a capability, or gets one', async () => {
      const { out } = await run('grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status')
      const values = out.split('\n').map((line) => line.split(/\s+/))
      for (const [name = '', value = ''] of values) {
        const expected = name === 'NoNewPrivs:' ? '1' : name === 'Seccomp:' ? '2' : '0000000000000000'
        assert.equal(value, expected, name)
      }
      assert.equal(values.length, 7)
    })
    test('files of the host are not there, or cannot be changed', async () => {
      const secrets = (await run('cat /etc/shadow /root/.bashrc /var/log/dpkg.log')).out
      assert.equal(secrets.match(/No such file/g)?.length, 3, secrets)
      assert.match((await run('touch /usr/bin/mine')).out, /Read-only file system/)
      assert.match((await run('echo x > /etc/passwd')).out, /Read-only|Permission denied/)
      assert.equal((await run('ls /home /root /srv /work 2>/dev/null')).out, '/home:\nuser')
      // By way of another process that sees more.
      assert.match((await run('ls /proc/1/root /proc/1/cwd/etc')).out, /Permission denied/)
    })
    test('processes of others are not to be seen, and not to be killed', async () => {
      const { out } = await run('ls -d /proc/[0-9]* | wc -l; kill -9 -1; kill -9 1; echo alive')
      assert.ok(Number(out.split('\n')[0]) < 12, out)
      assert.equal((await run(`kill -9 ${host.daemon.pid}`)).code, 1)
      assert.equal((await run('echo still here')).out, 'still here')
    })
    test('of devices there are only harmless ones, and nobody makes others', async () => {
      const { out } = await run('for f in /dev/*; do if test -b $f || test -c $f; then echo $f; fi; done | sort')
      assert.equal(out, '/dev/full\n/dev/null\n/dev/ptmx\n/dev/random\n/dev/tty\n/dev/urandom\n/dev/zero')
      assert.match((await run('mknod /tmp/sda b 8 0')).out, /Operation not permitted/)
      assert.match((await run('touch /dev/new')).out, /Read-only file system/)
    })
    for (const [name, number, args] of [
      ['mounts', sys.mount, '"none", "/tmp", "tmpfs", 0, 0'],
      ['a user namespace', sys.unshare, '0x10000000'],
      ['a process in a user namespace', sys.clone, '0x10000011, 0, 0, 0, 0'],
      ['another namespace', sys.setns, '0, 0'],
      ['ptrace', sys.ptrace, '16, 1, 0, 0'],
      ['the keys of the kernel', sys.keyctl, '0, -3, 0'],
      ['BPF', sys.bpf, '0, 0, 0'],
      ['performance counters', sys.perf, '0, 0, -1, -1, 0'],
      ['io_uring', sys.uring, '8, 0'],
    ] as const) {
      test(`there is no way to ${name}`, { skip: process.arch !== 'x64' && 'numbers of x86-64' }, async () => {
        assert.equal((await run(tried(number, args))).out, EPERM)
      })
    }
    test('programs with other rights than the user have none here', async () => {
      const { out } = await run(
        'cp /bin/sh /tmp/mine; chmod 4755 /tmp/mine; /tmp/mine -c "id -u"; su -c id root 2>&1 | tail -1',
      )
      assert.match(out, /^1000\n/)
      assert.doesNotMatch(out, /uid=0/)
    })
    test('nothing can be put into the input of the terminal', async () => {
      const { code, out } = await run(perl('my $x = "x"; print ioctl(STDIN, 0x5412, $x) ? "done" : $!+0'))
      assert.deepEqual([code, out], [0, EPERM])
    })
    test('the network is not there', async () => {
      const { out } = await run(
        `bash -c 'echo > /dev/tcp/127.0.0.1/${port}; echo > /dev/tcp/127.0.0.1/${host.daemon.port}'`,
      )
      assert.match(out, /(Address family not supported[\s\S]*){2}/)
      assert.equal(reached, 0)
    })
    test('control groups cannot be written to', async () => {
      assert.match(
        (await run('ls /sys/fs/cgroup; echo 1 > /proc/sys/kernel/panic')).out,
        /No such file[\s\S]*(Read-only|denied)/,
      )
    })
    test('a fork bomb fills the sandbox and nothing else, and goes with it', async () => {
      const { out } = await run('b() { sleep 5 & b; }; b 2>&1 | head -c 300; true')
      assert.match(out, /fork|Resource temporarily unavailable|retry/i)
      await until('the end of all', () => host.processes().length === 0)
    })
    test('a program that wants all memory gets none any more', async () => {
      const { code, out } = await run(perl('$x = "x" x (1 << 29); print length $x'))
      assert.notEqual(code, 0)
      assert.match(out, /[Oo]ut of memory/)
    })
    test('what is written fills the sandbox and not the disk', async () => {
      for (const place of ['/tmp', '/home/user', '/dev/shm', '/']) {
        assert.match((await run(`head -c 64M /dev/zero > ${place}/fill`)).out, /No space left/, place)
      }
    })
    test('nothing is left in the end', async () => {
      await until('no process', () => host.processes().length === 0)
      await until('no folder', () => host.folders().length === 0)
    })
  })
