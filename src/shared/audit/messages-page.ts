/** `docs/audit-messages.md`: the catalogue for those who write readers. */
import { catalogue, type Fields, items, messageTypes } from './catalogue.ts'

const types: Readonly<Record<string, string>> = {
  text: 'text',
  bytes: 'bytes or null',
  uint64: 'uint64',
  uint32: 'uint32',
  bool: 'bool',
  questions: 'array of maps, or null',
  answers: 'array of maps, or null',
}
const fieldsText = (fields: Fields): string =>
  Object.entries(fields)
    .map(([name, kind]) => `\`${name}\`: ${types[kind] ?? kind}`)
    .join('<br>')

export function renderMessagesPage(): string {
  const rows = messageTypes.map((type) => {
    const { number, name, payload } = catalogue[type]
    return `| ${number} | \`${type}\` | ${name} | ${payload === null ? 'null' : fieldsText(payload)} |`
  })
  return `# Messages of the audit log

Generated from the table that the programs use (\`npm run docs\`). How messages are stored is told in
[audit-format.md](audit-format.md). Fields stand in this order, under exactly these keys.

| Number | Identifier | Name | Payload |
|---|---|---|---|
${rows.join('\n')}

Elements of \`questions\`: ${fieldsText(items.questions).replace('<br>', ', ')}. Elements of \`answers\`:
${fieldsText(items.answers).replace('<br>', ', ')}.
`
}
