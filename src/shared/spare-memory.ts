/**
 * Memory for large pieces of data that go through a process one after the other: new memory costs ten times what the copy
 * into it does, since the kernel has to provide its pages.
 */

/** Of one piece: 64 KiB and what comes with them. Less than the allocator asks the kernel for each time. */
export const SPARE_BYTES = 100 * 1024
const MOST_SPARES = 16
const spares: Buffer<ArrayBufferLike>[] = []

/** What is in it is left over from another use. */
export const takeSpare = (): Buffer<ArrayBufferLike> => spares.pop() ?? Buffer.allocUnsafeSlow(SPARE_BYTES)

/** `bytes`: (a part of) what `takeSpare` gave, or anything else, which is left alone. Nobody may use it any more. */
export function giveSpare({ buffer }: Uint8Array): void {
  if (buffer.byteLength === SPARE_BYTES && spares.length < MOST_SPARES) spares.push(Buffer.from(buffer))
}
