/** Values as YAML text that reads back to the same values. */
import * as yaml from 'yaml'

/** The library writes the key `<<` plain, and it would be read as a merge key (https://yaml.org/type/merge.html). */
const quoteMergeKeys: yaml.visitorFn<yaml.Pair> = (_, { key }) => {
  if (yaml.isScalar(key) && key.value === '<<') key.type = yaml.Scalar.QUOTE_DOUBLE
}

/** One document, long lines not folded; what occurs twice is written twice. */
export const yamlText = (value: unknown, options: Pick<yaml.ToStringOptions, 'indent'> = {}): string => {
  const document = new yaml.Document(value, { aliasDuplicateObjects: false })
  yaml.visit(document, { Pair: quoteMergeKeys })
  return document.toString({ lineWidth: 0, ...options })
}
