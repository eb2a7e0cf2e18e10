/** The operations of the S3 API that uploading logs takes, each from its arguments to its result. */
import type { ObjectTraits, Part, S3Call, S3Operation, S3Result, S3Settings } from '../../../shared/s3-call.ts'
import { type Body, type Open, withBody } from './s3-body.ts'
import { hashes, type ObjectInput, type S3 } from './s3-client.ts'

/** `closeProblem`: the file that the body came from could not be closed; the request itself went well. */
export interface Done<Op extends S3Operation> {
  readonly result: S3Result<Op>
  readonly closeProblem?: string
}

export interface Context {
  readonly settings: S3Settings
  readonly client: S3
  readonly open: Open
  /** The time that a request with a body of so many bytes has. */
  limit(bytes: number): { readonly abortSignal: AbortSignal }
}

/** A service that never ends its list must not keep us. */
const mostPages = 100

export async function put({ settings, client, open, limit }: Context, call: S3Call<'put'>): Promise<Done<'put'>> {
  const { value, closeProblem } = await withBody(call, open, (body) =>
    client.putObject(
      {
        ...objectInput(settings, call.key, call.traits),
        ...bodyInput(settings, body),
        ContentLength: call.bytes,
      },
      limit(call.bytes),
    ),
  )
  return { result: { etag: value.ETag ?? '' }, ...(closeProblem !== undefined && { closeProblem }) }
}

export async function create({ settings, client, limit }: Context, call: S3Call<'create'>): Promise<string> {
  const algorithm = settings.checksums ? { ChecksumAlgorithm: 'CRC32' as const } : {}
  const input = { ...objectInput(settings, call.key, call.traits), ...algorithm }
  const { UploadId } = await client.createMultipartUpload(input, limit(0))
  if (UploadId === undefined || UploadId === '') throw new Error('the service gave no id for the upload')
  return UploadId
}

export async function part({ settings, client, open, limit }: Context, call: S3Call<'part'>): Promise<Done<'part'>> {
  const { bytes, partNumber } = call
  const { value, closeProblem } = await withBody(call, open, async (body) => {
    const upload = { ...uploadInput(settings, call), PartNumber: partNumber, ContentLength: bytes }
    const { ETag } = await client.uploadPart({ ...upload, ...bodyInput(settings, body) }, limit(bytes))
    return { etag: ETag ?? '', crc32: body.crc32 }
  })
  const crc32 = settings.checksums ? { crc32: value.crc32 } : {}
  return {
    result: { partNumber, bytes, etag: value.etag, ...crc32 },
    ...(closeProblem !== undefined && { closeProblem }),
  }
}

export async function complete(context: Context, call: S3Call<'complete'>): Promise<S3Result<'complete'>> {
  const Parts = call.parts.map(({ partNumber, etag, crc32 }) => ({
    PartNumber: partNumber,
    ETag: etag,
    ...(crc32 !== undefined && { ChecksumCRC32: crc32 }),
  }))
  const input = { ...uploadInput(context.settings, call), MultipartUpload: { Parts } }
  const { ETag } = await context.client.completeMultipartUpload(input, context.limit(0))
  return { etag: ETag ?? '' }
}

export async function abort({ settings, client, limit }: Context, call: S3Call<'abort'>): Promise<undefined> {
  try {
    await client.abortMultipartUpload(uploadInput(settings, call), limit(0))
  } catch (error) {
    // Gone already: that is what was asked for.
    if (!(error instanceof Error) || error.name !== 'NoSuchUpload') throw error
  }
}

export async function uploads({ settings, client, limit }: Context, call: S3Call<'uploads'>): Promise<string[]> {
  const found: string[] = []
  let from: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {}
  for (let page = 0; page < mostPages; page++) {
    const input = { Bucket: settings.bucket, Prefix: call.key, ...from }
    const answer = await client.listMultipartUploads(input, limit(0))
    for (const { Key, UploadId } of answer.Uploads ?? []) {
      if (Key === call.key && UploadId !== undefined) found.push(UploadId)
    }
    if (answer.IsTruncated !== true || answer.NextKeyMarker === undefined) break
    from = { KeyMarker: answer.NextKeyMarker, UploadIdMarker: answer.NextUploadIdMarker }
  }
  return found
}

export async function parts({ settings, client, limit }: Context, call: S3Call<'parts'>): Promise<Part[]> {
  const found: Part[] = []
  let marker: string | undefined
  for (let page = 0; page < mostPages; page++) {
    const input = { ...uploadInput(settings, call), ...(marker !== undefined && { PartNumberMarker: marker }) }
    const answer = await client.listParts(input, limit(0))
    for (const { PartNumber, Size, ETag, ChecksumCRC32 } of answer.Parts ?? []) {
      if (PartNumber === undefined || Size === undefined || ETag === undefined) continue
      const crc32 = settings.checksums && ChecksumCRC32 !== undefined ? { crc32: ChecksumCRC32 } : {}
      found.push({ partNumber: PartNumber, bytes: Size, etag: ETag, ...crc32 })
    }
    if (answer.IsTruncated !== true || answer.NextPartNumberMarker === undefined) break
    marker = String(answer.NextPartNumberMarker)
  }
  return found
}

export async function head(context: Context, call: S3Call<'head'>): Promise<S3Result<'head'>> {
  const { settings, client, limit } = context
  const { ContentLength, ETag } = await client.headObject({ Bucket: settings.bucket, Key: call.key }, limit(0))
  return { bytes: ContentLength ?? 0, etag: ETag ?? '' }
}

const uploadInput = (settings: S3Settings, call: { readonly key: string; readonly uploadId: string }) => ({
  Bucket: settings.bucket,
  Key: call.key,
  UploadId: call.uploadId,
})

function bodyInput(settings: S3Settings, { body, sha256, crc32 }: Body) {
  hashes.set(body, sha256)
  return { Body: body, ...(settings.checksums && { ChecksumCRC32: crc32 }) }
}

/** The unions of the SDK hold what the service knew when it was released; ours may know more. */
function objectInput({ bucket }: S3Settings, key: string, traits: ObjectTraits): ObjectInput {
  const input: Record<string, unknown> = {
    ACL: traits.acl,
    StorageClass: traits.storageClass,
    ServerSideEncryption: traits.serverSideEncryption,
    SSEKMSKeyId: traits.kmsKeyId,
  }
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== ''))
  return { ...given, Bucket: bucket, Key: key, ContentType: traits.contentType, Metadata: { ...traits.metadata } }
}
