import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withheldVariables, workerConfig } from '../../src/primary/worker-share.ts'
import { check } from '../../src/shared/config/checks.ts'
import type { Config } from '../../src/shared/config/index.ts'
import { defaults } from '../../src/shared/config/schema.ts'

const withS3 = (s3: object): Config => {
  const config = defaults()
  const audit = { ...config.audit, enable: true, format: 'binary' as const, storage: 's3' as const }
  return { ...config, audit: { ...audit, s3: { ...config.audit.s3, bucket: 'b', region: 'r', ...s3 } } }
}

test('no text that only the primary needs is in the configuration of a worker', () => {
  const base = withS3({ accessKey: 'SECRET-1', secretKey: 'SECRET-2', sessionToken: 'SECRET-3' })
  const config = {
    ...base,
    ssh: { ...base.ssh, hostkeys: ['SECRET-4'] },
    metrics: { ...base.metrics, key: 'SECRET-5' },
    health: { ...base.health, key: 'SECRET-6', client: { ...base.health.client, key: 'SECRET-7' } },
  }
  assert.equal(JSON.stringify(config).match(/SECRET-\d/g)?.length, 7)
  assert.doesNotMatch(JSON.stringify(workerConfig(config)), /SECRET/)
})

test('what workers work with stays, and they find nothing wrong with it that was not', () => {
  const config = withS3({ accessKey: 'k', secretKey: 's' })
  const share = workerConfig(config)
  for (const section of ['auth', 'security', 'docker', 'kubernetes', 'configserver', 'limits'] as const) {
    assert.equal(share[section], config[section])
  }
  const paths = (one: Config): string[] => check(one, ['docker']).errors.map(({ path }) => path.join('.'))
  assert.deepEqual(paths(share), paths(config))
})

test('variables with keys of S3 are withheld where the audit log takes its keys from them, and only there', () => {
  const names = ['PATH', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'LAWS_AND_ORDER']
  assert.deepEqual(withheldVariables(withS3({ defaultCredentials: true }), names), names.slice(1, 3))
  assert.deepEqual(withheldVariables(withS3({ accessKey: 'k', secretKey: 's' }), names), [])
  assert.deepEqual(withheldVariables(defaults(), names), [])
})
