import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { createLog } from '../../../../src/shared/log.ts'
import { unpackedRoot } from '../../../../src/workers/backends/sandbox/rootfs/index.ts'
import { archiveOf, type Made, type OciLayer, sha256, writeOciArchive } from '../../../rigs/archive.ts'
import { image } from '../../../rigs/docker.ts'

const folder = mkdtempSync(join(tmpdir(), 'rootfs-'))
after(() => rmSync(folder, { recursive: true }))
let count = 0
const fresh = (): string => join(folder, String(++count))

interface Unpacked {
  readonly root: string
  readonly cache: string
  /** Codes of the log. */
  readonly told: readonly string[]
}
async function unpack(path: string, cache = fresh(), maxSize = 2 ** 30): Promise<Unpacked> {
  const told: string[] = []
  const log = createLog({ level: 'debug', write: ({ code }) => void told.push(code) })
  const rootfs = { source: 'archive', path, cache, maxSize } as const
  return { root: await unpackedRoot(rootfs, log, AbortSignal.timeout(60_000)), cache, told }
}
const written = (content: Uint8Array): string => {
  const path = fresh()
  writeFileSync(path, content)
  return path
}
const made = (entries: readonly Made[]): Promise<Unpacked> => unpack(written(archiveOf(entries)))
const refused = (entries: readonly Made[], reason: RegExp): Promise<void> => assert.rejects(made(entries), reason)
const read = ({ root }: Unpacked, path: string): string => readFileSync(join(root, path), 'utf8')
const leftIn = ({ cache }: Unpacked): string[] =>
  readdirSync(join(cache, 'rootfs')).filter((name) => name.endsWith('~'))

describe('an archive of a root directory', () => {
  const plain = archiveOf([
    { path: './', type: 'Directory', mode: 0o700 },
    { path: './etc/', type: 'Directory', mode: 0o555 },
    { path: './etc/name', content: 'here', mode: 0o640 },
    { path: './bin/su', content: 'x', mode: 0o6755 },
    { path: './bin/again', type: 'Link', linkpath: 'bin/su' },
    { path: './bin/sh', type: 'SymbolicLink', linkpath: '/bin/su' },
    { path: './dev/sda', type: 'BlockDevice' },
  ])
  for (const [kind, bytes] of [
    ['plain', plain],
    ['gzip', gzipSync(plain)],
    ['zstd', zstdCompressSync(plain)],
  ] as const) {
    test(`${kind}: files, modes, times and links come, nobody's rights and no devices`, async () => {
      const { root } = await unpack(written(bytes))
      const mode = (path: string): number => statSync(join(root, path)).mode & 0o7777
      assert.equal(readFileSync(join(root, 'etc/name'), 'utf8'), 'here')
      assert.deepEqual(['.', 'etc', 'etc/name', 'bin/su'].map(mode), [0o755, 0o755, 0o640, 0o755])
      assert.equal(statSync(join(root, 'etc/name')).mtimeMs, 1_000_000_000_000)
      assert.equal(statSync(join(root, 'bin/again')).ino, statSync(join(root, 'bin/su')).ino)
      assert.equal(execFileSync('readlink', [join(root, 'bin/sh')], { encoding: 'utf8' }), '/bin/su\n')
      assert.equal(existsSync(join(root, 'dev/sda')), false)
    })
  }
  test('it is unpacked once, under the name of its digest, and what another has unpacked is taken', async () => {
    const first = await unpack(written(plain))
    assert.deepEqual(first.told, ['SANDBOX_UNPACK', 'SANDBOX_UNPACK_SUCCESSFUL'])
    assert.equal(first.root, join(first.cache, 'rootfs', `sha256-${sha256(plain)}`))
    assert.deepEqual((await unpack(written(plain), first.cache)).told, [])
  })
  test('of several at once each gets the same, whole, and nothing else is left', async () => {
    const [path, cache] = [written(plain), fresh()]
    const all = await Promise.all([1, 2, 3].map(() => unpack(path, cache)))
    assert.equal(new Set(all.map(({ root }) => root)).size, 1)
    for (const one of all) assert.equal(read(one, 'etc/name'), 'here')
    assert.deepEqual(readdirSync(join(cache, 'rootfs')).length, 1)
  })
})

describe('an archive that leads out of its root', () => {
  const outside = join(folder, 'outside')
  mkdirSync(outside)
  writeFileSync(join(outside, 'secret'), 'secret')
  const isUntouched = (): void => assert.deepEqual(readdirSync(outside), ['secret'])

  test('names the entry whose path goes up', async () => {
    await refused([{ path: 'a/../../x' }], /the archive \/.+: entry a\/\.\.\/\.\.\/x: its path has "\.\."/)
    await refused([{ path: 'x', type: 'Link', linkpath: '../outside/secret' }], /entry x: its path has "\.\."/)
  })
  test('an absolute path is one below the root', async () => {
    assert.equal(read(await made([{ path: `${outside}/new`, content: 'in' }]), `${outside}/new`), 'in')
    isUntouched()
  })
  test('links to folders lead where they would in the root, absolute ones and those that go up', async () => {
    const found = await made([
      { path: 'abs', type: 'SymbolicLink', linkpath: outside },
      { path: 'up', type: 'SymbolicLink', linkpath: `../../../../../../..${outside}` },
      { path: 'abs/one', content: '1' },
      { path: 'up/two', content: '2' },
    ])
    assert.deepEqual([read(found, `${outside}/one`), read(found, `${outside}/two`)], ['1', '2'])
    isUntouched()
  })
  test('a file in the place of a link replaces it', async () => {
    const found = await made([
      { path: 'x', type: 'SymbolicLink', linkpath: join(outside, 'secret') },
      { path: 'x', content: 'mine' },
    ])
    assert.equal(read(found, 'x'), 'mine')
    assert.equal(readFileSync(join(outside, 'secret'), 'utf8'), 'secret')
  })
  test('a hard link leads to a file of the archive, or is refused', async () => {
    await refused([{ path: 'x', type: 'Link', linkpath: join(outside, 'secret') }], /hard link to .*secret, expected/)
    await refused(
      [
        { path: 'out', type: 'SymbolicLink', linkpath: outside },
        { path: 'x', type: 'Link', linkpath: 'out/secret' },
      ],
      /hard link to out\/secret, expected/,
    )
  })
  test('links in a circle end, and a file is no folder', async () => {
    await refused(
      [
        { path: 'a', type: 'SymbolicLink', linkpath: 'b' },
        { path: 'b', type: 'SymbolicLink', linkpath: 'a' },
        { path: 'a/x' },
      ],
      /entry a\/x: there are more than 40 links/,
    )
    await refused([{ path: 'a' }, { path: 'a/x' }], /entry a\/x: a on the way is not a folder/)
  })
})

describe('an archive that cannot be used is named, and nothing of it stays', () => {
  const attempt = async (bytes: Uint8Array, reason: RegExp, maxSize?: number): Promise<void> => {
    const [path, cache] = [written(bytes), fresh()]
    await assert.rejects(unpack(path, cache, maxSize), (error: Error) => {
      assert.match(error.message, reason)
      assert.ok(error.message.includes(path))
      return true
    })
    assert.deepEqual(readdirSync(join(cache, 'rootfs')), [])
  }
  const large = archiveOf([{ path: 'bin/large', content: Buffer.alloc(3 << 20) }])
  test('one that is not there', () => assert.rejects(unpack('/nowhere.tar'), /the archive \/nowhere\.tar: ENOENT/))
  test('one of another kind', () => attempt(Buffer.alloc(4096, 'text'), /not a tar archive/))
  test('one without files', () => attempt(archiveOf([]), /holds no files/))
  test('one that is cut off', () => attempt(large.subarray(0, 2 << 20), /Truncated/i))
  test('one whose compression is cut off', () => attempt(gzipSync(large).subarray(0, 1000), /unexpected end of file/))
  test('one that is too large', () =>
    attempt(gzipSync(large), /entry bin\/large: .* sandbox\.rootfs\.maxSize/, 2 ** 20))
})

describe('an image', () => {
  const lower = archiveOf([
    { path: 'bin/sh', content: 'sh' },
    { path: 'etc/gone', content: '1' },
    { path: 'etc/kept', content: '1' },
    { path: 'opt/a', content: '1' },
    { path: 'opt/sub/b', content: '1' },
    { path: 'tree/x', content: '1' },
    { path: 'lib', type: 'SymbolicLink', linkpath: 'usr/lib' },
    { path: 'usr/lib/one', content: '1' },
  ])
  // What a layer hides is below it, even where its own files stand before.
  const upper = archiveOf([
    { path: 'opt/new', content: '2' },
    { path: 'opt/.wh..wh..opq' },
    { path: 'etc/.wh.gone' },
    { path: 'etc/.wh..wh.aufs' },
    { path: '.wh.tree' },
    { path: 'nowhere/.wh.x' },
    { path: 'lib/two', content: '2' },
  ])
  const layers: OciLayer[] = [
    { tar: lower, blob: gzipSync(lower) },
    { tar: upper, blob: zstdCompressSync(upper) },
    { tar: archiveOf([]), blob: gzipSync(archiveOf([])) },
  ]
  const oci = (change?: (blobs: Map<string, Buffer>) => void, of = layers): string => {
    const path = fresh()
    writeOciArchive(path, of, change)
    return path
  }
  test('has the files of its layers without what the later ones hide', async () => {
    const found = await unpack(oci())
    const names = execFileSync('find', [found.root, '-mindepth', '1', '-printf', '%P\\n'], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .sort()
    const files = ['bin/sh', 'etc/kept', 'lib', 'opt/new', 'usr/lib/one', 'usr/lib/two']
    assert.deepEqual(names, [...files, 'bin', 'etc', 'opt', 'usr', 'usr/lib'].sort())
    assert.deepEqual(leftIn(found), [])
  })
  test('whose blob is another than its digest says is refused', () =>
    assert.rejects(
      unpack(
        oci((blobs) => blobs.set(sha256(layers[1]?.blob ?? Buffer.of()), Buffer.alloc(layers[1]?.blob.length ?? 0))),
      ),
      /blobs\/sha256\/\w{64} has the SHA-256 \w{64}, expected \w{64}/,
    ))
  test('whose layer is another than its configuration says is refused', () =>
    assert.rejects(
      unpack(oci(undefined, [{ tar: upper, blob: lower }])),
      /layer 1 of 1 has the SHA-256 \w{64}, expected/,
    ))
  test('that lacks a blob is refused', () =>
    assert.rejects(
      unpack(oci((blobs) => blobs.delete(sha256(layers[0]?.blob ?? Buffer.of())))),
      /it has no file blobs/,
    ))
  test('whose description is damaged is refused, by name', () =>
    assert.rejects(
      unpack(written(archiveOf([{ path: 'oci-layout' }, { path: 'index.json', content: '{"manifests":7}' }]))),
      /index\.json is not what it should be: [\s\S]*expected array/,
    ))
  test('of which an entry leads out is refused, with the layer', () => {
    const bad = archiveOf([{ path: 'x/.wh...' }])
    return assert.rejects(
      unpack(oci(undefined, [{ tar: bad, blob: bad }])),
      /layer 1 of 1, entry x\/\.wh\.\.\.: it hides/,
    )
  })
  test('of Docker has what its last container had, by save and by export', async () => {
    const base = await image('containerssh-test/busybox:1')
    const name = `containerssh-test/rootfs-${process.pid}`
    const docker = (...words: string[]): string => execFileSync('docker', words, { encoding: 'utf8' }).trim()
    const step = (from: string, script: string): string => {
      const id = docker('run', '-d', '--network', 'none', from, '/bin/sh', '-c', script)
      assert.equal(docker('wait', id), '0')
      return id
    }
    const containers = [step(base, 'mkdir -p /opt/a/b; echo 1 > /opt/a/b/old; echo 1 > /opt/gone; echo 1 > /opt/kept')]
    try {
      docker('commit', containers[0] ?? '', name)
      containers.push(step(name, 'rm -r /opt/a /opt/gone; mkdir /opt/a; echo 2 > /opt/a/new; ln /opt/kept /opt/hard'))
      docker('commit', containers[1] ?? '', name)
      const [saved, exported] = [fresh(), fresh()]
      docker('save', '-o', saved, name)
      docker('export', '-o', exported, containers[1] ?? '')
      const [one, other] = [await unpack(saved), await unpack(exported)]
      assert.deepEqual(readdirSync(join(one.root, 'opt'), { recursive: true }).sort(), ['a', 'a/new', 'hard', 'kept'])
      assert.equal(statSync(join(one.root, 'opt/hard')).ino, statSync(join(one.root, 'opt/kept')).ino)
      // Export adds what the engine mounts over.
      const differences = execFileSync('sh', [
        '-c',
        'diff -rq --no-dereference "$1" "$2" || true',
        'sh',
        one.root,
        other.root,
      ])
      const real = differences
        .toString()
        .split('\n')
        .filter(
          (line) =>
            !/^$|: (dev|proc|sys|\.dockerenv)$|\/(dev|proc|sys)(:|\/)|\/etc: (hosts|hostname|resolv\.conf|mtab)$/.test(
              line,
            ),
        )
      assert.deepEqual(real, [])
    } finally {
      for (const id of containers) docker('rm', '-f', id)
      docker('rmi', '-f', name)
    }
  })
})
