/** Writes databases of countries as MaxMind's are (MaxMind DB file format 2.0), for addresses that tests really use. */
import { isIPv4 } from 'node:net'

/** Network in CIDR form to the country's code. */
export type Networks = Readonly<Record<string, string>>

type Value = string | number | { readonly [key: string]: Value } | readonly Value[]
/** Another node, the offset of a record in the data section, or nothing. */
type Branch = Node | number | undefined
interface Node {
  number: number
  readonly branches: [Branch, Branch]
}

const separatorBytes = 16
const marker = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1')

/** `type`: such as `GeoLite2-Country`. `built`: in Unix time, seconds. */
export function mmdb(networks: Networks, { type = 'GeoLite2-Country', built = 1_700_000_000 } = {}): Buffer {
  const nodes: Node[] = []
  const newNode = (): Node => {
    const node: Node = { number: nodes.length, branches: [undefined, undefined] }
    nodes.push(node)
    return node
  }
  const root = newNode()
  const data: Buffer[] = []
  let offset = 0
  for (const [network, code] of Object.entries(networks)) {
    insert(root, bitsOf(network), offset, newNode)
    const record = encode({ country: { iso_code: code } })
    data.push(record)
    offset += record.length
  }
  const record = (branch: Branch): number => {
    if (branch === undefined) return nodes.length
    return typeof branch === 'number' ? nodes.length + separatorBytes + branch : branch.number
  }
  const tree = Buffer.alloc(nodes.length * 8)
  for (const { number, branches } of nodes) {
    tree.writeUInt32BE(record(branches[0]), number * 8)
    tree.writeUInt32BE(record(branches[1]), number * 8 + 4)
  }
  const metadata = {
    ...{ binary_format_major_version: 2, binary_format_minor_version: 0, build_epoch: built, database_type: type },
    ...{ description: {}, ip_version: 6, languages: [], node_count: nodes.length, record_size: 32 },
  }
  return Buffer.concat([tree, Buffer.alloc(separatorBytes), ...data, marker, encode(metadata)])
}

/** IPv4 addresses are the last 32 bits of an IPv6 address that begins with zeros. */
function bitsOf(network: string): string {
  const [address = '', length = ''] = network.split('/')
  if (!isIPv4(address)) throw new Error(`${network}: only IPv4 networks are written`)
  const bits = address.split('.').map((part) => Number(part).toString(2).padStart(8, '0'))
  return '0'.repeat(96) + bits.join('').slice(0, Number(length))
}

function insert(root: Node, bits: string, offset: number, newNode: () => Node): void {
  let node = root
  for (const [index, bit] of [...bits].entries()) {
    const side = bit === '1' ? 1 : 0
    if (index === bits.length - 1) {
      node.branches[side] = offset
      return
    }
    const next = node.branches[side]
    if (typeof next === 'number') throw new Error('a network within another one')
    const made = next ?? newNode()
    node.branches[side] = made
    node = made
  }
}

const kinds = { string: 2, uint32: 6, map: 7, array: 11 } as const

function encode(value: Value): Buffer {
  if (typeof value === 'string')
    return Buffer.concat([control(kinds.string, Buffer.byteLength(value)), Buffer.from(value)])
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(value)
    return Buffer.concat([control(kinds.uint32, 4), bytes])
  }
  if (Array.isArray(value)) return Buffer.concat([control(kinds.array, value.length), ...value.map(encode)])
  const entries = Object.entries(value)
  return Buffer.concat([control(kinds.map, entries.length), ...entries.flat().map(encode)])
}

/** Type and size; sizes of 29 and more take one more byte, types above 7 as well. */
function control(kind: number, size: number): Buffer {
  if (size > 284) throw new Error('longer values are not written')
  const [short, more] = size < 29 ? [size, []] : [29, [size - 29]]
  return Buffer.from(kind > 7 ? [short, kind - 7, ...more] : [(kind << 5) | short, ...more])
}
