/** From which country an address is: MaxMind's file, in memory, read again when it changes. */
import { unwatchFile, watchFile } from 'node:fs'
import type { CountryResponse, Reader } from 'mmdb-lib'
import { fault } from '../shared/codes/fault.ts'
import type { Config } from '../shared/config/index.ts'
import { readBounded } from '../shared/config/read-bounded.ts'
import type { Log } from '../shared/log.ts'
import { createLru } from '../shared/lru.ts'
import { isCountry, unknownCountry } from '../shared/metric/label.ts'

/** A file of whole cities has 70 MB. */
const MOST_BYTES = 512 * 2 ** 20
/** `geoipupdate` puts a new file in place of the old one now and then. */
const LOOK_MS = 60_000
/** Decoded parts of the file. */
const MOST_CACHED = 4096

export interface Country extends Disposable {
  /** ISO 3166-1 alpha-2; `XX` for what the file does not know. Never throws. */
  of(address: string): string
  /** Reads the file again, if there is one. What cannot be used is told, and the old one stays. */
  renew(): Promise<void>
  /** When the file was made, in Unix time; undefined without one. */
  readonly builtMs: number | undefined
}

const nowhere: Country = {
  of: () => unknownCountry,
  renew: async () => undefined,
  builtMs: undefined,
  [Symbol.dispose]: () => undefined,
}

/** @throws Fault CORE_CONFIG_ERROR when the file cannot be used */
export async function openCountry({ geoip }: Config, log: Log): Promise<Country> {
  if (geoip.provider === 'dummy') return nowhere
  const file = geoip['maxmind-geoip2-file']
  let reader: Reader<CountryResponse>
  try {
    reader = await readCountries(file)
  } catch (cause) {
    throw fault('CORE_CONFIG_ERROR', { option: 'geoip.maxmind-geoip2-file' }, { cause })
  }
  const tell = (): void => log.emit('CORE_GEOIP_LOADED', { file, built: reader.metadata.buildEpoch.toISOString() })
  tell()
  const renew = async (): Promise<void> => {
    try {
      reader = await readCountries(file)
      tell()
    } catch (cause) {
      log.emit('CORE_GEOIP_FAILED', { file }, { cause })
    }
  }
  watchFile(file, { interval: LOOK_MS, persistent: false }, () => void renew())
  return {
    of: (address) => countryOf(reader, address),
    renew,
    get builtMs() {
      return reader.metadata.buildEpoch.getTime()
    },
    [Symbol.dispose]: () => unwatchFile(file),
  }
}

/** @throws Error that says why the file cannot be used */
async function readCountries(file: string): Promise<Reader<CountryResponse>> {
  // Loaded only where it is used.
  const { Reader } = await import('mmdb-lib')
  const bytes = await readBounded(file, MOST_BYTES)
  if (bytes === undefined) throw new Error(`${file} is larger than 512 MiB`)
  let reader: Reader<CountryResponse>
  try {
    const cache = createLru<string | number, unknown>(MOST_CACHED)
    reader = new Reader<CountryResponse>(bytes, { cache })
  } catch (cause) {
    throw new Error(`${file} is no database of MaxMind`, { cause })
  }
  const { databaseType } = reader.metadata
  if (!/Country|City|Enterprise/.test(databaseType)) {
    throw new Error(`${file} is a database of type ${databaseType}; expected one of countries or cities`)
  }
  return reader
}

function countryOf(reader: Reader<CountryResponse>, address: string): string {
  try {
    const code = reader.get(address.replace(/%.*$/, ''))?.country?.iso_code
    return isCountry(code) ? code : unknownCountry
  } catch {
    return unknownCountry // a damaged file, or one that has no addresses of this kind
  }
}
