/** An audit log as a file: 40 bytes that say so, then compressed members one after the other, one for each batch. */
import { constants, gzipSync, zstdCompressSync } from 'node:zlib'

export const magic = 'ContainerSSH-Auditlog'
export const magicBytes = 32
export const headerBytes = 40
/** Version 1 was one CBOR array around all messages; we write 2. */
export const newestVersion = 2

/** `zstd` is smaller and faster, but only our own tools read it. */
export type Compression = 'gzip' | 'zstd'

/** Magic in 32 bytes, then the version as 64 bit, little endian. */
export const logHeader = (): Uint8Array => {
  const header = Buffer.alloc(headerBytes)
  header.write(magic, 'latin1')
  header.writeBigUInt64LE(BigInt(newestVersion), magicBytes)
  return header
}

/**
 * For a keystroke, to make and clear the usual 256 KiB takes as long as to compress it, and the collector counts them. No
 * byte of so small a batch is out of reach of a window of 4 KiB.
 */
const smallBytes = 2048
const smallMemory = { windowBits: 12, memLevel: 4, chunkSize: 1024 }

/**
 * A batch as one complete member with its checksum: it can be read whatever happens to those before and after it.
 * Blocks the thread for as long as it takes.
 */
export const compressed = (batch: Uint8Array, compression: Compression, level?: number): Uint8Array =>
  compression === 'gzip'
    ? gzipSync(batch, { ...(level !== undefined && { level }), ...(batch.length <= smallBytes && smallMemory) })
    : zstdCompressSync(batch, {
        params: {
          [constants.ZSTD_c_checksumFlag]: 1,
          ...(level === undefined ? {} : { [constants.ZSTD_c_compressionLevel]: level }),
        },
      })

/**
 * What a log that was closed properly ends with. Of gzip, an empty member without its end: after a complete one the Go
 * program's decoder takes the regular end of the file for an error.
 */
export const logEnd = (compression: Compression): Uint8Array =>
  compression === 'gzip' ? Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0xff, 0xff) : new Uint8Array(0)
