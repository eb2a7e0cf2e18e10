// Runs after `npm ci`: applies patches/ to ssh2, and builds for the Node that will run the daemon its native addons, the
// guest helper, and a cache of compiled code.
// Plain JavaScript without dependencies, because the Node that runs npm may be older than the one we install.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const require = createRequire(import.meta.url)
const say = (text) => process.stdout.write(`postinstall: ${text}\n`)

const ssh2 = dirname(require.resolve('ssh2/package.json'))
// patch-package resolves the files to change against its working directory: the folder whose node_modules holds ssh2.
const appRoot = dirname(dirname(ssh2))

applyPatches()
const node = installedNode()
// Beside the addons, which take as long.
const helper = startHelper()
buildAddon({
  name: "ssh2's crypto addon",
  folder: join(ssh2, 'lib', 'protocol', 'crypto'),
  binary: 'sshcrypto.node',
  options: ['--real_openssl_major=3'],
  loss: 'bulk transfer will cost 2 to 4 times the CPU',
})
const dgram = folderOf('unix-dgram')
if (dgram !== undefined) {
  buildAddon({
    name: "unix-dgram's addon",
    folder: dgram,
    binary: 'unix_dgram.node',
    options: [],
    loss: 'the journal of systemd gets plain lines, and syslog is written through logger(1)',
  })
}

await finishHelper(helper)
warmUp()

function applyPatches() {
  const patchDir = join(root, 'patches')
  if (!readdirSync(patchDir).some((name) => name.endsWith('.patch'))) return
  const cli = join(dirname(require.resolve('patch-package/package.json')), 'index.js')
  const args = [cli, '--patch-dir', relative(appRoot, patchDir), '--error-on-fail']
  const run = spawnSync(process.execPath, args, {
    cwd: appRoot,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  })
  if (run.status === 0) return
  process.stderr.write(`${run.stdout ?? ''}${run.stderr ?? ''}`)
  process.stderr.write('postinstall: patches/ does not apply to the installed ssh2; run "npm ci" in a clean checkout\n')
  process.exit(1)
}

/** The guest helper needs Go, which is fetched if need be. Undefined: this is no checkout. */
function startHelper() {
  if (!existsSync(join(root, 'guest', 'go.mod'))) return undefined
  const options = { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] }
  return spawn(node.path, [join('scripts', 'guest.ts'), '--here'], options)
}

/** The daemon also runs without it, only not in sandboxes: so this never fails. */
async function finishHelper(child) {
  if (child === undefined) return
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text
  })
  const status = await new Promise((done) => child.once('error', done).once('close', done))
  if (status === 0) return
  process.stderr.write(
    'postinstall: WARNING: the guest helper could not be built: there will be no sandboxes, and ports of containers\n' +
      `cannot be forwarded unless their images have it. "npm run guest" tries again. Reason: ${lastLines(`${said}${status}`)}\n`,
  )
}

/** Compiles what `npm start` runs, so that the first start takes no longer than the next. */
function warmUp() {
  const modules = ['quickstart/index', 'quickstart/sandbox', 'serve', 'main'].map((name) => `primary/${name}`)
  modules.push('workers/main', 'workers/backends/index', 'workers/backends/sandbox/index')
  const imports = modules.map((name) => `import ${JSON.stringify(join(root, 'src', `${name}.ts`))}`).join('\n')
  const env = { ...process.env, NODE_COMPILE_CACHE: join(root, '.cache', 'compile') }
  const run = spawnSync(node.path, ['--input-type=module', '-e', imports], { cwd: root, encoding: 'utf8', env })
  if (run.status !== 0) say(`nothing was compiled ahead: ${lastLines(run.stderr ?? String(run.error))}`)
}

/** Of an optional package: undefined if it is not installed. */
function folderOf(name) {
  try {
    return dirname(require.resolve(`${name}/package.json`))
  } catch {
    return undefined
  }
}

/** The daemon also runs without the addons, only worse: so this never fails. */
function buildAddon({ name, folder, binary, options, loss }) {
  const warn = (reason) =>
    process.stderr.write(
      `postinstall: WARNING: ${name} could not be built, ${loss}.\n` +
        `It needs a C++ compiler, make and Python 3 (Debian: apt-get install build-essential python3); then run\n` +
        `"npm run postinstall" again. Reason: ${reason}\n`,
    )
  const addon = join(folder, 'build', 'Release', binary)
  const stamp = join(folder, 'build', 'built-for')
  const wanted = `${node.version} ${hashOf(join(folder, 'src'))}\n`
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted && loads(node.path, addon)) return

  const gyp = findNodeGyp()
  if (gyp === undefined) return warn('node-gyp was not found beside npm')
  say(`building ${name} for Node ${node.version} ...`)
  const args = [gyp, 'rebuild', ...options, `--target=${node.version}`]
  if (node.headers !== undefined) args.push(`--nodedir=${node.headers}`)
  const run = spawnSync(node.path, args, { cwd: folder, encoding: 'utf8', env: gypEnvironment(node) })
  if (run.status !== 0) return warn(lastLines(`${run.stdout ?? ''}${run.stderr ?? ''}${run.error ?? ''}`))
  if (!loads(node.path, addon)) return warn('it was built but does not load')
  writeFileSync(stamp, wanted)
}

/** For node-gyp, npm's settings win over its command line: a `nodedir` in somebody's .npmrc would give the wrong headers. */
function gypEnvironment(node) {
  const env = { ...process.env, PATH: `${dirname(node.path)}${delimiter}${process.env.PATH ?? ''}` }
  for (const name of Object.keys(env)) {
    if (/^npm_(package_)?config_(node_gyp_)?(nodedir|target|runtime|disturl|dist_url)$/i.test(name)) delete env[name]
  }
  return env
}

/** The `node` package's binary when it is installed, else the Node that runs this script. */
function installedNode() {
  const candidates = []
  try {
    candidates.push(join(dirname(require.resolve('node/package.json')), 'bin', 'node'))
  } catch {
    // Not installed: the outer Node is the one that will run.
  }
  for (const path of candidates) {
    const run = spawnSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' })
    if (run.status === 0) return { path, version: run.stdout.trim(), headers: headersOf(dirname(dirname(path))) }
  }
  return {
    path: process.execPath,
    version: process.versions.node,
    headers: headersOf(dirname(dirname(process.execPath))),
  }
}

/** The folder that holds include/node: the `node` package nests a package per platform which ships its headers. */
function headersOf(prefix) {
  const platform = `node-${process.platform}-${process.arch}`
  const folders = [join(prefix, 'node_modules', platform), join(dirname(prefix), platform), prefix]
  return folders.find((folder) => existsSync(join(folder, 'include', 'node', 'common.gypi')))
}

/** npm brings its own node-gyp; npm_execpath is set inside lifecycle scripts, PATH serves a run by hand. */
function findNodeGyp() {
  const npms = [
    process.env['npm_execpath'],
    ...(process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'npm')),
  ]
  for (const npm of npms) {
    if (npm === undefined || !existsSync(npm)) continue
    const gyp = resolve(realpathSync(npm), '..', '..', 'node_modules', 'node-gyp', 'bin', 'node-gyp.js')
    if (existsSync(gyp)) return gyp
  }
  return undefined
}

function loads(node, addon) {
  return existsSync(addon) && spawnSync(node, ['-e', 'require(process.argv[1])', addon]).status === 0
}

/** Of all files in it. */
function hashOf(folder) {
  const hash = createHash('sha256')
  for (const name of readdirSync(folder).sort()) hash.update(readFileSync(join(folder, name)))
  return hash.digest('hex')
}

function lastLines(text) {
  return text.trim().split('\n').slice(-6).join('\n')
}
