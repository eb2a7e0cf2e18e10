/** A host key into the text of a configuration file; everything else stays as it is. */
import { isDeepStrictEqual } from 'node:util'
import * as yaml from 'yaml'
import { jsonTree } from '../shared/config/json-tree.ts'
import { plainValue } from '../shared/config/tree.ts'
import { keepAsWritten, layoutOf } from '../shared/config/yaml-edit.ts'
import { yamlTree } from '../shared/config/yaml-tree.ts'

type Plain = Record<string, unknown>

const block = (doc: yaml.Document, key: string): yaml.Node => {
  const item = new yaml.Scalar(key)
  item.type = yaml.Scalar.BLOCK_LITERAL
  const list = doc.createNode([]) as yaml.YAMLSeq
  list.flow = false
  list.add(item)
  return list
}

const intoYaml = (source: string, key: string): string => {
  const docs = yaml.parseAllDocuments(source, { schema: 'core' })
  const doc = Array.isArray(docs) ? docs[0] : undefined
  if (doc === undefined || doc.errors.length > 0) throw new Error('the file changed since it was read')
  keepAsWritten(doc)
  const list = block(doc, key)
  const root = doc.contents
  // The type wants a node that was parsed; one that was made is as good.
  if (!yaml.isMap(root)) doc.contents = doc.createNode({ ssh: { hostkeys: list } }) as never
  else {
    const ssh = root.get('ssh', true) as unknown
    // A literal block cannot stand inside braces.
    root.flow = false
    if (yaml.isMap(ssh)) ssh.flow = false
    else if (yaml.isAlias(ssh)) throw new Error('the option ssh is an alias; only its anchor could be changed')
    else doc.set('ssh', doc.createNode({}))
    doc.setIn(['ssh', 'hostkeys'], list)
  }
  return (docs as yaml.Document[]).map((one) => one.toString(layoutOf(source))).join('')
}

const intoJson = (source: string, key: string): string => {
  const root = JSON.parse(source) as Plain
  const named = (object: Plain, wanted: string): string =>
    Object.keys(object).find((name) => name.toLowerCase() === wanted) ?? wanted
  const name = named(root, 'ssh')
  const ssh = { ...((root[name] as Plain | null | undefined) ?? {}) }
  ssh[named(ssh, 'hostkeys')] = [key]
  root[name] = ssh
  const indent = /^[ \t]+(?=")/m.exec(source)?.[0]
  return JSON.stringify(root, undefined, indent) + (source.endsWith('\n') ? '\n' : '')
}

/** The option values, with the host keys taken out. */
const rest = (path: string, source: string): unknown => {
  const tree = path.endsWith('.json') ? jsonTree(source) : yamlTree(source)
  const value = ((tree === undefined ? undefined : plainValue(tree)) ?? {}) as Plain
  const entries = Object.entries(value).map(([name, child]): [string, unknown] => {
    if (name.toLowerCase() !== 'ssh') return [name, child]
    const options = Object.entries((child ?? {}) as Plain)
    return [name, Object.fromEntries(options.filter(([option]) => option.toLowerCase() !== 'hostkeys'))]
  })
  return Object.fromEntries(entries.filter(([, child]) => !isDeepStrictEqual(child, {})))
}

/**
 * The file's text with `key` (PEM) as its only host key.
 * @throws Error if that cannot be done without changing anything else.
 */
export const withHostKey = (path: string, source: string, key: string): string => {
  const edited = path.endsWith('.json') ? intoJson(source, key) : intoYaml(source, key)
  if (!isDeepStrictEqual(rest(path, edited), rest(path, source))) {
    throw new Error('writing the key would change other options')
  }
  return edited
}
