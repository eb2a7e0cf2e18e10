import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConfig } from '../../../src/shared/config/load.ts'
import { ConfigErrors } from '../../../src/shared/config/problems.ts'

const user = 'auth: {users: [{name: a, passwordHash: x}]}'

/** What is wrong with an option of `section`. */
async function problems(section: 'health' | 'metrics', options: string): Promise<readonly string[]> {
  const source = `${user}\n${section}: {enable: true, ${options}}\n`
  const error = await parseConfig('c.yaml', source).catch((error: unknown) => error)
  if (!(error instanceof ConfigErrors)) throw error
  return error.lines.filter((line) => line.includes(`${section}.`)).map((line) => line.slice(line.indexOf(section)))
}

for (const section of ['health', 'metrics'] as const) {
  test(`${section}: certificate, key and CA are looked at when the configuration is read`, async () => {
    assert.deepEqual(await problems(section, 'cert: /none, key: "-----BEGIN"'), [
      `${section}.cert: the file "/none" cannot be read (ENOENT)`,
      `${section}.key: the text holds no private key without a passphrase in PEM form`,
    ])
    assert.deepEqual(await problems(section, 'key: /none'), [
      `${section}.key: the file "/none" cannot be read (ENOENT)`,
      `${section}.key: needs a certificate; expected cert and key together`,
    ])
    assert.deepEqual(await problems(section, 'clientcacert: "-----BEGIN"'), [
      `${section}.clientcacert: the text holds no certificate in PEM form`,
      `${section}.clientcacert: has no effect without cert and key`,
    ])
  })
}
