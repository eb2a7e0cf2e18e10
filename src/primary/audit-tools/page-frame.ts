/** The frame of a page that replays sessions: everything it needs is in it, and it may ask for nothing else. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'

export interface PageFrame {
  readonly begin: string
  /** A part of the recording of one channel, which is a number; all parts of it are joined. */
  part(channel: string, cast: string): string
  /** `summary`: what JSON can hold. */
  end(summary: unknown): string
}

const bundle = 'asciinema-player/dist/bundle/asciinema-player'
const textOf = (url: string | URL): Promise<string> => readFile(new URL(url), 'utf8')
const own = (name: string): Promise<string> => textOf(new URL(`page/${name}`, import.meta.url))

export async function pageFrame(): Promise<PageFrame> {
  const [player, playerStyle, app, style] = await Promise.all([
    textOf(import.meta.resolve(`${bundle}.min.js`)),
    textOf(import.meta.resolve(`${bundle}.css`)),
    own('app.js'),
    own('style.css'),
  ])
  const scripts = [player, app].map((text) => inlineScript(text))
  // The player compiles its terminal from WebAssembly that it holds, and sets styles of its elements.
  const policy = [
    "default-src 'none'",
    `script-src 'wasm-unsafe-eval' ${scripts.map(({ source }) => source).join(' ')}`,
    "style-src 'unsafe-inline'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')
  const begin = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width">
<title>Session</title>
<style>${playerStyle}
${style}</style>
<h1>Recorded sessions</h1>
<dl id="facts"></dl>
<nav></nav>
<div id="screen"></div>
`
  return {
    begin,
    part: (channel, cast) => `<script type="application/json" data-channel="${channel}">${json(cast)}</script>\n`,
    end: (summary) =>
      `<script type="application/json" id="summary">${json(summary)}</script>\n${scripts.map(({ html }) => html).join('\n')}\n</html>\n`,
  }
}

/** No text can end the element that it is in, or begin a comment in it: that takes a less-than sign. */
const json = (value: unknown): string => JSON.stringify(value).replaceAll('<', '\\u003c')

function inlineScript(text: string): { readonly html: string; readonly source: string } {
  if (/<\/script|<!--/i.test(text)) throw new Error('a script of the page would end too early')
  const hash = createHash('sha256').update(text).digest('base64')
  return { html: `<script>${text}</script>`, source: `'sha256-${hash}'` }
}
