import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { parse } from 'yaml'
import { migrateConfig } from '../../../src/primary/migrate-config.ts'
import { describeConfig, type JsonSchema, renderSchema } from '../../../src/shared/config/document/json-schema.ts'
import { renderConfigPage } from '../../../src/shared/config/document/page.ts'
import { dumpConfig } from '../../../src/shared/config/dump.ts'
import { ConfigErrors, loadConfig, parseConfig } from '../../../src/shared/config/load.ts'
import { defaults } from '../../../src/shared/config/schema.ts'

const root = resolve(import.meta.dirname, '../../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const dump = read('test/shared/config/reference-dump.yaml.txt')

test('docs/config.md and docs/config.schema.json are what the schema says', () => {
  assert.ok(read('docs/config.md') === renderConfigPage(), 'docs/config.md is stale: run `npm run docs`')
  assert.ok(read('docs/config.schema.json') === renderSchema(), 'docs/config.schema.json is stale: run `npm run docs`')
})

interface Option {
  readonly path: readonly string[]
  readonly node: JsonSchema
  readonly isOurs: boolean
}
const options = (node: JsonSchema, path: readonly string[] = [], isOurs = false): Option[] => {
  const ours = isOurs || node.ours === true
  const { properties = node.items?.properties ?? {} } = node
  const below = Object.entries(properties).flatMap(([key, child]) => options(child, [...path, key], ours))
  return path.length === 0 ? below : [{ path, node, isOurs: ours }, ...below]
}

test('every option has a description of one line', () => {
  for (const { path, node } of options(describeConfig())) {
    const name = path.join('.')
    assert.ok(node.description !== undefined, `${name} needs .describe('…'), or .meta(ours('…')) if it is our own`)
    assert.match(node.description, /^\S.*[.…]$/, name)
  }
})

test('our own options are those that a dump of the Go program does not have', () => {
  const theirs = parse(dump) as unknown
  /** Left out of its dumps when they are not set. */
  const omitted = ['consoleContainerNumber', 'createMissingPods', 'disableAgent'].map((key) => `kubernetes.pod.${key}`)
  const has = (path: readonly string[]): boolean => {
    let at = theirs
    for (const key of path) {
      if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return false
      at = (at as Record<string, unknown>)[key]
    }
    return true
  }
  for (const { path, isOurs } of options(describeConfig())) {
    // Below these stand the objects of Docker, of which a dump has what is set.
    const isDockers = path[0] === 'docker' && path[1] === 'execution' && path.length > 3
    if (isDockers || omitted.includes(path.join('.'))) continue
    assert.equal(isOurs, !has(path), path.join('.'))
  }
})

const validator = () => {
  const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true })
  const validate = ajv.compile(JSON.parse(read('docs/config.schema.json')))
  return (value: unknown): string[] =>
    validate(value) ? [] : (validate.errors ?? []).map((error) => `${error.instancePath}: ${error.message}`)
}
const wrongIn = validator()

test('the JSON Schema takes the defaults, and what the Go program dumped', () => {
  assert.deepEqual(wrongIn({}), [])
  assert.deepEqual(wrongIn(parse(dumpConfig(defaults()))), [])
  assert.deepEqual(wrongIn(parse(dump)), [])
})

for (const [source, place] of [
  ['sssh: {}', ': must NOT have additional properties'],
  ['ssh: {listen: [x]}', '/ssh/listen: must be string'],
  ['ssh: {loginGrace: 5x}', '/ssh/loginGrace: must match pattern'],
  ['ssh: {loginGrace: 1.5}', '/ssh/loginGrace: must be string,integer'],
  ['workers: 5000', '/workers: must be <= 1024'],
  ['log: {level: loud}', '/log/level: must be equal to one of the allowed values'],
  ['auth: {users: [{}]}', "/auth/users/0: must have required property 'name'"],
  ['kubernetes: {pod: {spec: {contaienrs: []}}}', '/kubernetes/pod/spec: must NOT have additional properties'],
  ['docker: {execution: {container: {Image: [x]}}}', '/docker/execution/container/Image: must be string'],
  ['security: {env: {allow: [{globb: x}]}}', '/security/env/allow/0: must NOT have additional properties'],
] as const) {
  test(`the JSON Schema refuses ${source}`, () => {
    assert.ok(
      wrongIn(parse(source)).some((line) => line.startsWith(place)),
      wrongIn(parse(source)).join('\n'),
    )
  })
}

const unsupported = /: is not supported by this version yet$|: "\w+" is not supported by this version yet$/
const examples = globSync('examples/*', { cwd: import.meta.dirname }).sort()

/** What is wrong with it, beside what this version cannot do. */
const faultsOf = async (path: string): Promise<readonly string[]> => {
  try {
    await loadConfig(path)
    return []
  } catch (error) {
    assert.ok(error instanceof ConfigErrors, String(error))
    return error.lines.filter((line) => !unsupported.test(line))
  }
}

test('there are examples', () => assert.ok(examples.length >= 12))
for (const name of examples.filter((file) => file.endsWith('.yaml'))) {
  test(`${basename(name)} loads, but for what this version cannot do, and fits the JSON Schema in the form of today`, async () => {
    const path = join(import.meta.dirname, name)
    assert.deepEqual(await faultsOf(path), [])
    assert.deepEqual(wrongIn(parse((await migrateConfig(path)).text)), [])
    const { config } = await parseConfig(path, readFileSync(path, 'utf8'), { onlyParse: true })
    const again = await parseConfig('dump.yaml', dumpConfig(config, { showSecrets: true }), { onlyParse: true })
    assert.deepEqual(again.config, config)
  })
}

test('the configuration in the example of an answer of the configuration server is one', async () => {
  const { config } = JSON.parse(read('test/shared/config/examples/webhook-answer.json')) as { config: object }
  const loaded = await parseConfig('c.json', JSON.stringify(config), { onlyParse: true })
  assert.equal(loaded.config.docker.execution.container.Image, 'alpine')
  assert.deepEqual(wrongIn(config), [])
})

/** The Go program's value, or ours where a dump of it would be another document: names of Docker's keys, nothing, ours. */
const sameAs = (theirs: unknown, own: unknown, path: string): void => {
  if (typeof theirs === 'object' && theirs !== null && !Array.isArray(theirs)) {
    for (const [key, value] of Object.entries(theirs)) {
      const at = own as Record<string, unknown> | undefined
      const name = Object.keys(at ?? {}).find((one) => one.toLowerCase() === key.toLowerCase())
      const child = name === undefined ? undefined : at?.[name]
      const isNothing = value === null || (child === undefined && JSON.stringify(value).length <= 5)
      if (!isNothing || child !== undefined) sameAs(value, child, `${path}.${key}`)
    }
    return
  }
  if (theirs === null && typeof own === 'object') return
  assert.deepEqual(own, theirs, path)
}

test('what the Go program dumped dumps to the same values', async () => {
  const { config } = await parseConfig('c.yaml', dump, { onlyParse: true })
  sameAs(parse(dump), parse(dumpConfig(config)), '')
})
