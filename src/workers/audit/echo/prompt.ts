/** Does the last line on a terminal ask for a secret? */

const longestPrompt = 160
/** Words of the usual programs, and of their translations that are seen most. */
const asks =
  /(?:passw|passphrase|passcode|passwd|kennwort|secret|\bpin\b|\botp\b|one[- ]time|verification code|token|mot de passe|contrase|senha|parola|пароль|密码|密碼|パスワード|비밀번호|암호)[^\n]{0,80}[:：?>.]\s*$/iu

/** `line`: UTF-8 as Latin-1. */
export function asksForSecret(line: string): boolean {
  const end = line.trimEnd().at(-1)
  // Most lines that a terminal stops at are no questions. The full-width colon ends with 9a.
  if (end === undefined || !':?>.\u009a'.includes(end)) return false
  return asks.test(Buffer.from(line.slice(-longestPrompt), 'latin1').toString())
}
