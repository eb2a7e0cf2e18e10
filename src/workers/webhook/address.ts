/** Where a request goes, and how that is written in logs. */

/** Without user, password and query, which may be secrets. */
export const shownUrl = (url: string): string => {
  const parsed = URL.parse(url)
  if (parsed === null) return url.replace(/\/\/[^/]*@/, '//').replace(/\?.*/s, '?…')
  const user = /^[^/]*\/\/[^/?#]*@/.test(url)
  const plain = user ? url.replace(/\/\/[^/?#]*@/, '//') : url
  return plain.replace(/\?.*/s, '?…')
}

/** The URL, if requests can be sent there. */
export const targetOf = (url: string, base?: URL): URL | undefined => {
  const parsed = URL.parse(url, base?.href)
  if (parsed === null || !['http:', 'https:'].includes(parsed.protocol)) return undefined
  // The URL standard lets these pass; no server can make anything of them.
  return /[\s\p{Cc}]|%(?![\da-f]{2})/iu.test(url) ? undefined : parsed
}

/** RFC 7617, for a URL with a user in it. */
export const authorizationOf = ({ username, password }: URL): string | undefined => {
  if (username === '' && password === '') return undefined
  return `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`
}
