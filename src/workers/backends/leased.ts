import type { Lease } from '../../shared/leases.ts'
import type { Sandbox } from '../ports.ts'

/** A sandbox in something that is shared: given back when the sandbox is gone, or cannot be made. */
export async function openLeased<T>(lease: Lease<T>, open: (value: T) => Promise<Sandbox>): Promise<Sandbox> {
  try {
    const sandbox = await open(lease.value)
    return {
      ...sandbox,
      async [Symbol.asyncDispose]() {
        await sandbox[Symbol.asyncDispose]()
        lease.release()
      },
    }
  } catch (error) {
    lease.release()
    throw error
  }
}
