/** Packets of SFTP (draft-ietf-secsh-filexfer-02 section 3) in a stream of bytes that is cut anywhere. */

/** Larger ones are not sent: OpenSSH takes no more than 256 KiB. */
const mostBytes = 1024 * 1024
const headBytes = 4

export interface PacketReader {
  /** Calls `each` with every packet, without its length; what it gets is only lent. False: this is not SFTP. */
  push(data: Uint8Array, each: (packet: Buffer) => void): boolean
}

export function createPacketReader(): PacketReader {
  let held: Buffer = Buffer.alloc(0)
  let isBroken = false
  return {
    push(data, each) {
      if (isBroken) return false
      held = held.length === 0 ? Buffer.from(data) : Buffer.concat([held, data])
      while (held.length >= headBytes) {
        const length = held.readUInt32BE()
        if (length === 0 || length > mostBytes) {
          isBroken = true
          held = Buffer.alloc(0)
          return false
        }
        if (held.length < headBytes + length) break
        each(held.subarray(headBytes, headBytes + length))
        held = held.subarray(headBytes + length)
      }
      return true
    },
  }
}

/** Fields of a packet, one after the other. */
export function fieldsOf(packet: Buffer) {
  let at = 0
  const take = (count: number): Buffer => {
    if (at + count > packet.length) throw new RangeError('the packet ends too early')
    at += count
    return packet.subarray(at - count, at)
  }
  return {
    byte: (): number => take(1).readUInt8(),
    uint32: (): number => take(4).readUInt32BE(),
    uint64: (): number => Number(take(8).readBigUInt64BE()),
    string: (): Buffer => take(take(4).readUInt32BE()),
  }
}
