/** On the narrowest telephone, in every language: words end where the language lets them, not where the room does. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LANGUAGES, messagesFor } from '#pages'
import { openBrowser, openSite, type Site } from './browser.ts'
import { page, samples } from './samples.ts'

const NARROW = { width: 360, height: 740 }
const views = Object.fromEntries(LANGUAGES.map((lang) => [lang, samples(messagesFor(lang))]))
let browser: Browser
let site: Site
let tab: Page

beforeAll(async () => {
  site = await openSite((path) => {
    const [, lang, name] = path.split('/') as [string, (typeof LANGUAGES)[number], string]
    const view = views[lang]?.[name]
    return view && page(view, lang)
  })
  browser = await openBrowser()
  tab = await browser.newPage({ viewport: NARROW })
})
afterAll(async () => {
  await browser?.close()
  await site?.close()
})

/** Words that stand on two lines. A soft hyphen, a hyphen or a slash is a place to break; a secret has none. */
const brokenWords = () => {
  const broken: string[] = []
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.parentElement!.closest('code, script, style, [hidden]')) continue
    for (const { 0: word, index } of node.textContent!.matchAll(/[^\s\u00AD\u200B\-–/]+/g)) {
      const range = document.createRange()
      // the hyphen that a soft one becomes is measured with the letter behind it
      range.setStart(node, index + Math.min(1, word.length - 1))
      range.setEnd(node, index + word.length)
      const lines = new Set(
        [...range.getClientRects()].filter(({ width }) => width > 0).map(({ top }) => Math.round(top)),
      )
      if (lines.size > 1) broken.push(word)
    }
  }
  return broken
}

test.each(LANGUAGES)(
  'no word is broken in two in %s',
  async (lang) => {
    const found: Record<string, string[]> = {}
    for (const name of Object.keys(views[lang]!)) {
      await tab.goto(`${site.origin}/${lang}/${name}`)
      const broken = await tab.evaluate(brokenWords)
      if (broken.length > 0) found[name] = broken
    }
    expect(found).toEqual({})
  },
  60_000,
)
