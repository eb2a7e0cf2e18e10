import { spawn } from 'node:child_process'

/** Runs a command with its output shown; true when it exits with 0. */
export function step(
  name: string,
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  limitMs = 600_000,
  cwd = process.cwd(),
): Promise<boolean> {
  process.stdout.write(`▶ ${name}\n`)
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
      timeout: limitMs,
      cwd,
    })
    child.on('error', (error) => {
      process.stdout.write(`✖ ${name}: ${error.message}\n`)
      resolve(false)
    })
    child.on('exit', (code, signal) => {
      process.stdout.write(code === 0 ? `✔ ${name}\n` : `✖ ${name}: ended with ${signal ?? `status ${code}`}\n`)
      resolve(code === 0)
    })
  })
}
