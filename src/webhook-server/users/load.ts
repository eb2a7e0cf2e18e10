/** A file of users, or everything that is wrong with it. */
import { resolve } from 'node:path'
import { parseKeyLine } from '../../shared/authorized-key.ts'
import type { Finding } from '../../shared/config/checks.ts'
import { issueProblem, locate } from '../../shared/config/issues.ts'
import { readAuthorizedKeys } from '../../shared/config/key-files.ts'
import { type Problem, show } from '../../shared/config/problems.ts'
import { schema } from '../../shared/config/schema.ts'
import { type Reading, shape } from '../../shared/config/shape.ts'
import { readSource, reporter, treeOf } from '../../shared/config/source.ts'
import type { Node } from '../../shared/config/tree.ts'
import { noOptions } from '../../shared/key-options.ts'
import { isPasswordHash } from '../../shared/password.ts'
import { encodeAnswer } from '../encode.ts'
import { additionOf } from './answer.ts'
import { type FileUser, type UsersFile, usersSchema } from './schema.ts'

const readingOf = (isJson: boolean): Reading => ({
  anyCase: isJson,
  converts: !isJson,
  problems: [],
  warnings: [],
  places: new Map(),
})

/** @throws ConfigErrors with all that is wrong, in the order of the file. */
export async function loadUsers(path: string): Promise<UsersFile> {
  const file = resolve(path)
  const source = await readSource(file)
  const report = reporter(file, source)
  const isJson = file.endsWith('.json')
  const tree = treeOf(isJson, source, report)
  const reading = readingOf(isJson)
  const parsed = usersSchema.safeParse(shape(tree, usersSchema, reading), { reportInput: true })
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => issueProblem(issue, reading, usersSchema))
    return report.fail([...reading.problems, ...issues])
  }
  const findings: Finding[] = []
  const { log, users } = parsed.data
  const read = await Promise.all(users.map((user, index) => readUser(user, ['users', index], findings)))
  findings.push(...twice(users))
  const fragments = users.flatMap((_user, index) => fragmentProblems(tree, index))
  const found = findings.map(({ path: at, message }) => locate(at, message, reading))
  const problems = [...reading.problems, ...found, ...fragments]
  return problems.length > 0 ? report.fail(problems) : { log, users: read }
}

async function readUser(user: FileUser, path: Finding['path'], findings: Finding[]): Promise<FileUser> {
  const { passwordHash } = user
  if (passwordHash !== undefined && !isPasswordHash(passwordHash)) {
    const message = 'the value is not a hash in PHC form; containerssh hash-password makes one'
    findings.push({ path: [...path, 'passwordHash'], message })
  }
  for (const [name, entry] of Object.entries(user.files)) {
    if (typeof entry === 'string' || entry.base64 === undefined) continue
    const at = [...path, 'files', name]
    if (entry.value !== undefined) findings.push({ path: at, message: 'has both value and base64; expected one' })
    const isBase64 = Buffer.from(entry.base64, 'base64').toString('base64') === entry.base64.replace(/\s/g, '')
    if (!isBase64) findings.push({ path: [...at, 'base64'], message: 'the value is not base64' })
  }
  const keyFindings: Finding[] = []
  const lines = await readAuthorizedKeys(user.authorizedKeys, [...path, 'authorizedKeys'], keyFindings)
  findings.push(...keyFindings)
  if (keyFindings.length === 0) findings.push(...lines.flatMap((line) => optionFindings(line, path)))
  findings.push(...answerFindings(user, path))
  return { ...user, authorizedKeys: lines }
}

/** An answer has no place for options, and a key that is more powerful than its line says is worse than an error. */
function optionFindings(line: string, path: Finding['path']): Finding[] {
  if (parseKeyLine(line).options === noOptions) return []
  const message = `${show(line)} has options; a webhook cannot send them to the daemon, expected TYPE and BASE64`
  return [{ path: [...path, 'authorizedKeys'], message }]
}

/** What the daemon would not understand. */
function answerFindings(user: FileUser, path: Finding['path']): Finding[] {
  const answer = { success: true, ...additionOf(user) }
  return (['metadata', 'environment', 'files'] as const).flatMap((part): Finding[] => {
    try {
      if (answer[part] !== undefined) encodeAnswer('password', { success: true, [part]: answer[part] })
      return []
    } catch (error) {
      return [{ path: [...path, part], message: error instanceof Error ? error.message : String(error) }]
    }
  })
}

const twice = (users: readonly FileUser[]): Finding[] =>
  users.flatMap(({ name }, index) => {
    if (users.findIndex((other) => other.name === name) === index) return []
    return [{ path: ['users', index, 'name'], message: `${show(name)} stands here a second time` }]
  })

const child = (node: Node | undefined, step: string | number): Node | undefined => {
  if (node?.kind === 'map') return node.entries.find(({ key }) => key === step)?.value
  return node?.kind === 'list' ? node.items[Number(step)] : undefined
}

/** The fragment goes to the daemon as it stands; whatever the daemon would not read there is wrong here. */
function fragmentProblems(tree: Node, index: number): Problem[] {
  const node = child(child(child(tree, 'users'), index), 'config')
  if (node?.kind !== 'map') return []
  const reading: Reading = { ...readingOf(true), anyCase: true }
  const parsed = schema.safeParse(shape(node, schema, reading), { reportInput: true })
  const issues = parsed.success ? [] : parsed.error.issues.map((issue) => issueProblem(issue, reading))
  return [...reading.problems, ...issues].map((problem) => ({
    ...problem,
    at: problem.at ?? node.at,
    path: `users[${index}].config.${problem.path}`,
  }))
}
