/**
 * What the primary asks of the thread that talks to the object storage, and what it hears. All of it is plain data, since it
 * crosses threads. The words are those of the S3 API.
 */

/** One service, one bucket, and how to get there. */
export interface S3Settings {
  readonly bucket: string
  /** URL; empty: AWS, by the region. */
  readonly endpoint: string
  readonly region: string
  /** Undefined: whatever the SDK finds in the environment, in profiles or on the instance. */
  readonly credentials:
    | { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string }
    | undefined
  /** PEM text; these authorities are trusted besides those of the system. */
  readonly cacert: string
  readonly forcePathStyle: boolean
  /** CRC32 of each body in a header and of each part in the list of parts. Some services of others refuse them. */
  readonly checksums: boolean
  /** Most connections at a time. */
  readonly connections: number
  readonly limits: {
    readonly connectMs: number
    /** Nothing was sent or received for so long. */
    readonly idleMs: number
    /** A whole request may last so long, and on top of it as long as its bytes take at the least speed. */
    readonly requestMs: number
    readonly leastBytesPerSecond: number
  }
}

/** What an object has besides its bytes. Empty texts are not sent. */
export interface ObjectTraits {
  readonly contentType: string
  readonly acl: string
  readonly storageClass: string
  readonly serverSideEncryption: string
  readonly kmsKeyId: string
  /** Printable ASCII. */
  readonly metadata: Readonly<Record<string, string>>
}

export interface Part {
  /** 1 to 10000. */
  readonly partNumber: number
  readonly bytes: number
  readonly etag: string
  /** Base64; undefined: the service was given none. */
  readonly crc32?: string
}

interface Upload {
  readonly key: string
  readonly uploadId: string
}
/** Bytes of a local file, from `start` on. */
interface Range {
  readonly file: string
  readonly start: number
  readonly bytes: number
}

/** Arguments and results of the operations. */
interface Operations {
  readonly put: {
    readonly asks: Range & { readonly key: string; readonly traits: ObjectTraits }
    readonly hears: Stored
  }
  readonly create: { readonly asks: { readonly key: string; readonly traits: ObjectTraits }; readonly hears: string }
  readonly part: { readonly asks: Upload & Range & { readonly partNumber: number }; readonly hears: Part }
  readonly complete: { readonly asks: Upload & { readonly parts: readonly Part[] }; readonly hears: Stored }
  readonly abort: { readonly asks: Upload; readonly hears: undefined }
  /** The ids of uploads of exactly this key. */
  readonly uploads: { readonly asks: { readonly key: string }; readonly hears: readonly string[] }
  readonly parts: { readonly asks: Upload; readonly hears: readonly Part[] }
  readonly head: { readonly asks: { readonly key: string }; readonly hears: Stored & { readonly bytes: number } }
}
export interface Stored {
  readonly etag: string
}

export const s3Operations = ['put', 'create', 'part', 'complete', 'abort', 'uploads', 'parts', 'head'] as const
export type S3Operation = (typeof s3Operations)[number]
export type S3Call<Op extends S3Operation = S3Operation> = {
  readonly [O in Op]: { readonly op: O } & Operations[O]['asks']
}[Op]
export type S3Result<Op extends S3Operation> = Operations[Op]['hears']

/** Why there is no result. */
export interface S3Failure {
  /** `service`: it answered with an error. `network`: no answer. `local`: the file, or this program. */
  readonly from: 'service' | 'network' | 'local'
  /** Of HTTP. */
  readonly status: number | undefined
  /** Of S3 (`NoSuchUpload`) or of the operating system (`ECONNREFUSED`). */
  readonly name: string
  readonly message: string
}

export type S3Answer<Op extends S3Operation = S3Operation> =
  | {
      readonly ok: true
      readonly result: S3Result<Op>
      /** The file was read to its end, but could not be closed. */
      readonly closeProblem?: string
    }
  | { readonly ok: false; readonly failure: S3Failure }

/** Resolves always: what goes wrong is in the answer. The signal ends the call. */
export type S3Port = <Op extends S3Operation>(call: S3Call<Op>, signal: AbortSignal) => Promise<S3Answer<Op>>

/** Of the pool. */
export interface S3Task {
  readonly settings: S3Settings
  readonly call: S3Call
}
