import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { openCountry } from '../../src/primary/country.ts'
import { Fault } from '../../src/shared/codes/fault.ts'
import { defaults } from '../../src/shared/config/schema.ts'
import { formatLine } from '../../src/shared/log/format.ts'
import { createLog, type LogRecord } from '../../src/shared/log.ts'
import { record as keepForCodes } from '../rigs/daemon.ts'
import { mmdb } from '../rigs/mmdb.ts'

const theirs = resolve(import.meta.dirname, '../golden/geoip/GeoLite2-Country-Test.mmdb')

async function open(file: string) {
  const records: LogRecord[] = []
  const write = (record: LogRecord): void => {
    records.push(record)
    keepForCodes(formatLine(record, 'ljson').trimEnd())
  }
  const log = createLog({ level: 'debug', write })
  const config = { ...defaults(), geoip: { provider: 'maxmind' as const, 'maxmind-geoip2-file': file } }
  return { country: await openCountry(config, log), codes: () => records.map(({ code }) => code) }
}

function folder(): { readonly file: string; put(content: Buffer | string): void } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'containerssh-geoip-'))
  const file = join(path, 'countries.mmdb')
  return {
    file,
    put(content) {
      writeFileSync(`${file}.new`, content)
      renameSync(`${file}.new`, file)
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true }),
  }
}

test("MaxMind's own database: addresses of both kinds have the country that MaxMind says they have", async () => {
  const { country, codes } = await open(theirs)
  using _ = country
  assert.deepEqual(codes(), ['CORE_GEOIP_LOADED'])
  for (const [address, code] of [
    ['2.125.160.216', 'GB'],
    ['89.160.20.112', 'SE'],
    ['89.160.20.113', 'SE'],
    ['2001:218::1', 'JP'],
    ['127.0.0.1', 'XX'],
    ['::1', 'XX'],
    ['fe80::1%eth0', 'XX'],
    ['no address', 'XX'],
  ] as const) {
    assert.equal(country.of(address), code, address)
  }
  assert.ok((country.builtMs ?? 0) > Date.UTC(2020))
})

test('without a provider every address is of no known country', async () => {
  using country = await openCountry(defaults(), createLog({ level: 'debug', write: () => assert.fail() }))
  assert.equal(country.of('2.125.160.216'), 'XX')
  assert.equal(country.builtMs, undefined)
})

test('a new file counts from the moment it is read; one that is broken changes nothing', async () => {
  using place = folder()
  place.put(mmdb({ '127.0.0.0/8': 'HU', '192.0.2.0/24': 'A1' }))
  const { country, codes } = await open(place.file)
  using _ = country
  assert.equal(country.of('127.9.9.9'), 'HU')
  assert.equal(country.of('128.0.0.1'), 'XX')
  assert.equal(country.of('192.0.2.1'), 'XX', 'codes that are none are not passed on')
  place.put(mmdb({ '127.0.0.0/8': 'DE' }))
  await country.renew()
  assert.equal(country.of('127.9.9.9'), 'DE')
  place.put('half of a file')
  await country.renew()
  assert.equal(country.of('127.9.9.9'), 'DE')
  rmSync(place.file)
  await country.renew()
  assert.equal(country.of('127.9.9.9'), 'DE')
  assert.deepEqual(codes(), ['CORE_GEOIP_LOADED', 'CORE_GEOIP_LOADED', 'CORE_GEOIP_FAILED', 'CORE_GEOIP_FAILED'])
})

test('a file that cannot be used ends the start, and the option is named', async () => {
  using place = folder()
  const refused = async (reason: RegExp): Promise<void> => {
    await assert.rejects(open(place.file), (error) => {
      assert.ok(error instanceof Fault)
      assert.equal(error.code, 'CORE_CONFIG_ERROR')
      assert.equal(error.labels['option'], 'geoip.maxmind-geoip2-file')
      assert.match(String(error.cause), reason)
      return true
    })
  }
  await refused(/ENOENT/)
  place.put('no database')
  await refused(/is no database of MaxMind/)
  place.put(mmdb({}, { type: 'GeoLite2-ASN' }))
  await refused(/type GeoLite2-ASN; expected one of countries or cities/)
})

test('a damaged file gives no country, and no error', async () => {
  using place = folder()
  const bytes = mmdb({ '127.0.0.0/8': 'HU' })
  bytes.fill(0xff, 0, 600)
  place.put(bytes)
  const { country } = await open(place.file)
  using _ = country
  assert.equal(country.of('127.0.0.1'), 'XX')
})
