/** Printing a YAML document that was read, and changed, with its comments and with each value as it was written. */
import * as yaml from 'yaml'

/**
 * Makes every value a text that is printed as it stands in the file: the library would print `0123`, which may be meant
 * as a text, as 123. To be called when the tree of the document has been made.
 */
export const keepAsWritten = (doc: yaml.Document): void => {
  yaml.visit(doc, {
    Scalar: (_key, node) => {
      if (node.type !== yaml.Scalar.PLAIN && node.value !== null) return
      node.value = node.source === undefined || node.source === '' ? '~' : node.source
      delete node.format
      delete node.minFractionDigits
    },
  })
  // The schema in which everything is a text, so nothing is put in quotes that would be something else without.
  doc.setSchema('1.2', { schema: 'failsafe' })
}

/** Width of the first indented line that is no comment or list; 2 if there is none. */
const indentOf = (source: string): number => /^( +)[^\s#-]/m.exec(source)?.[1]?.length ?? 2

/** How the file was laid out. */
export const layoutOf = (source: string): yaml.ToStringOptions => ({
  lineWidth: 0,
  indent: indentOf(source),
  indentSeq: !/^( *)[^\s#-][^\n]*:[^\S\n]*\n\1- /m.test(source),
  flowCollectionPadding: false,
})
