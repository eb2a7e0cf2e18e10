/** How a user came in: what `handshake_successful` has no fields for, as facts beside its payload. */
import type { Facts } from '../../shared/audit/record.ts'
import type { Attempt, Member } from '../ports.ts'
import { fingerprint } from '../ssh/public-key.ts'
import type { Negotiated } from '../ssh/wire.ts'

export class Login {
  #negotiated: Negotiated | undefined
  readonly #methods: string[] = []
  #fingerprint: string | undefined

  learn(negotiated: Negotiated): void {
    this.#negotiated = negotiated
  }

  /** An attempt that was right, if perhaps not enough. The question whether a key would do is none. */
  passed(attempt: Attempt): void {
    if (attempt.method === 'publickey') {
      if (!attempt.signed) return
      const { certificate, blob } = attempt
      this.#fingerprint = fingerprint(certificate?.key.blob ?? blob)
    }
    this.#methods.push(attempt.method)
  }

  facts({ authenticatedUsername }: Member): Facts {
    const { clientVersion = '', kex = '', hostKey = '', cipherIn = '', cipherOut = '' } = this.#negotiated ?? {}
    return {
      authenticatedUsername,
      methods: this.#methods.join(','),
      ...(this.#fingerprint !== undefined && { fingerprint: this.#fingerprint }),
      ...{ clientVersion, kex, hostKey, cipherIn, cipherOut },
    }
  }
}
