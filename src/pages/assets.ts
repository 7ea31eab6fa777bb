/** The stylesheet and the browser's scripts, read once at start and written into each page: one request, one document. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const here = import.meta.dirname
const read = (file: string): string => readFileSync(join(here, file), 'utf8')

/** Without comments and indentation. Our own files only: no string in them has a comment's beginning in it. */
const squeezeStyle = (css: string): string =>
  css
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\s+/g, ' ')
    .replace(/\s*([{};,>])\s*/g, '$1')
    .replace(/: /g, ':')
    .replace(/;}/g, '}')
    .trim()

/** Comments, and indentation. Statements stay on their own lines, so none needs a semicolon. */
const squeezeScript = (script: string): string =>
  script
    .replace(/\/\*\*[\s\S]*?\*\//g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line && !line.startsWith('//') && line !== 'export {}')
    .join('\n')

const browserScript = (file: string): string => squeezeScript(read(`browser/${file}`))

export const stylesheet: string = squeezeStyle(read('stylesheet.css'))
export const scripts = Object.freeze({
  page: browserScript('page.js'),
  passkey: browserScript('passkey.js'),
  post: browserScript('post.js'),
  asked: browserScript('asked.js'),
})
