import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { schemathesis } from '../rigs/prepare.ts'
import { startWebhookServer } from '../rigs/webhook-server.ts'

/** Of "right"; cheap, because it is tried hundreds of times. */
const hash = '$argon2id$v=19$m=8,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'

test('schemathesis finds nothing in what the webhook server says of itself', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-openapi-'))
  try {
    const users = join(folder, 'users.yaml')
    writeFileSync(
      users,
      `log: { level: debug }\nusers: [{ name: "0", passwordHash: "${hash}", config: { backend: docker } }]`,
    )
    await using server = startWebhookServer(['--users', users, '--listen', '127.0.0.1:0'])
    const document = `${await server.url()}/openapi.json`
    const phases = ['--phases', 'coverage,fuzzing', '--max-examples', '20', '--seed', '1']
    // Its database of examples is kept in the working directory.
    const { stdout } = await promisify(execFile)(schemathesis, ['run', document, ...phases, '--no-color'], {
      cwd: folder,
      timeout: 240_000,
    }).catch((error: { stdout: string; stderr: string }) => assert.fail(`${error.stdout}\n${error.stderr}`))
    assert.match(stdout, /Operations:\s+5 selected/)
    assert.match(stdout, /No issues found/)
    assert.ok(server.lines.some(({ code }) => code === 'AUTH_SERVER_DECODE_FAILED'))
    assert.ok(!server.lines.some(({ level }) => level === 'error'))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
