import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { byPassword, ssh } from '../rigs/askpass.ts'
import { startDaemon } from '../rigs/daemon.ts'
import { engine, image } from '../rigs/docker.ts'
import { noContainersOf, uniqueUser } from '../rigs/login.ts'
import { freePort } from '../rigs/services.ts'
import { watch } from '../rigs/webhook-server.ts'

const root = resolve(import.meta.dirname, '../..')

/** A block of the README's section, of the given language. */
function block(language: string): string {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const section = readme.slice(readme.indexOf('\n## Webhooks of your own\n') + 1).split('\n## ')[0] ?? ''
  const found = new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(section)?.[1]
  assert.ok(found !== undefined, `the section has a block of ${language}`)
  return found
}

/** What is taken or not there on this machine, as somebody who pastes would replace it. */
const replace = (text: string, by: ReadonlyMap<string, string>): string => {
  let replaced = text
  for (const [from, to] of by) replaced = replaced.replaceAll(from, to)
  return replaced
}

test("the README's webhook servers let the README's user into the README's container", async () => {
  const user = uniqueUser()
  const replacements = new Map([
    ['8080', String(await freePort())],
    ['8081', String(await freePort())],
    ['127.0.0.1:2222', '127.0.0.1:0'],
    ["'busybox'", `'${await image('containerssh-test/busybox:1')}'`],
    ["'alice'", `'${user}'`],
  ])
  // The only server whose address the README leaves to the default.
  const source = replace(
    block('ts').replace(" === 'match' })", " === 'match' }, { listen: '127.0.0.1:8080' })"),
    replacements,
  )
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-readme-'))
  try {
    // What `npm install PATH` makes.
    mkdirSync(join(folder, 'node_modules'))
    symlinkSync(root, join(folder, 'node_modules/containerssh'))
    const script = join(folder, 'webhooks.mts')
    writeFileSync(script, source)
    const options = ['--ignoreConfig', '--noEmit', '--strict', '--exactOptionalPropertyTypes', '--types', 'node']
    const modules = ['--module', 'nodenext', '--target', 'esnext', '--allowImportingTsExtensions', '--skipLibCheck']
    const typeRoots = ['--typeRoots', join(root, 'node_modules/@types')]
    const types = spawnSync(join(root, 'node_modules/.bin/tsc'), [...options, ...modules, ...typeRoots, script], {
      cwd: folder,
      encoding: 'utf8',
    })
    assert.equal(types.stdout, '')

    await using servers = watch(
      spawn(process.execPath, [script], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] }),
    )
    await servers.line('AUTH_AVAILABLE')
    await servers.line('CONFIG_SERVER_AVAILABLE')
    const { docker, ...config } = parse(replace(block('yaml'), replacements))
    const connection = { host: (await engine()).host }
    await using daemon = await startDaemon({ ...config, docker: { ...docker, connection } })
    const greeted = await ssh(daemon, user, { assword: 'correct horse' }, byPassword, 'echo from $0')
    assert.equal(greeted.code, 0, greeted.stderr)
    assert.equal(greeted.stdout.toString(), 'from /bin/sh\n')
    assert.equal((await ssh(daemon, user, { assword: 'battery staple' }, byPassword, 'true')).code, 255)
    await noContainersOf(user)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
