/** Every page in a real browser: axe by day and by night, room on the narrowest screen, targets for tired thumbs. */
import { AxeBuilder } from '@axe-core/playwright'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LANGUAGES, messagesFor } from '#pages'
import { openBrowser, openSite, type Site } from './browser.ts'
import { page, samples } from './samples.ts'

const names = Object.keys(samples(messagesFor('en')))
const pages = new Map<string, ReturnType<typeof page>>(
  LANGUAGES.flatMap((lang) =>
    Object.entries(samples(messagesFor(lang))).map(([name, view]) => [`${lang}/${name}`, page(view, lang)] as const),
  ),
)
// where a page that is left open looks
pages.set('confirmations', page(samples(messagesFor('en'))['expired']!, 'en'))
let browser: Browser
let site: Site
let tab: Page
const troubles: string[] = []

beforeAll(async () => {
  site = await openSite((path) => pages.get(path.slice(1)))
  browser = await openBrowser()
  const context = await browser.newContext({ viewport: { width: 1024, height: 768 } })
  tab = await context.newPage()
  tab.on('console', (message) => message.type() === 'error' && troubles.push(message.text()))
  tab.on('pageerror', (error) => troubles.push(error.message))
})
afterAll(async () => {
  await browser?.close()
  await site?.close()
})

// each view in one language, in turn: what axe looks at is the same in all of them but for the words
test.each(names.map((name, i) => [name, LANGUAGES[i % LANGUAGES.length]!] as const))(
  'axe finds nothing on %s (%s), by day and by night',
  async (name, lang) => {
    await tab.goto(`${site.origin}/${lang}/${name}`)
    for (const colorScheme of ['light', 'dark'] as const) {
      await tab.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      const axe = new AxeBuilder({ page: tab }).setLegacyMode() // without it, each analysis opens a page for frames
      // the night changes colours and nothing else
      const { violations, passes, incomplete } = await (colorScheme === 'dark'
        ? axe.withRules('color-contrast')
        : axe
      ).analyze()
      expect(
        violations.map(
          ({ id, nodes }) =>
            `${colorScheme} ${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join(' | ')}`,
        ),
      ).toEqual([])
      // what axe could not measure it did not judge
      expect(passes.map(({ id }) => id)).toContain('color-contrast')
      expect(incomplete.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(' | ')}`)).toEqual([])
    }
  },
)

test('axe does find something where there is something', async () => {
  await tab.goto(`${site.origin}/en/identifier`)
  await tab.evaluate(() => document.querySelector('label')?.remove())
  const { violations } = await new AxeBuilder({ page: tab }).analyze()
  expect(violations.map(({ id }) => id)).toContain('label')
})

test.each(LANGUAGES)(
  'no page in %s is wider than a screen of 320 pixels, and every target is 44 pixels high',
  async (lang) => {
    await tab.setViewportSize({ width: 320, height: 640 })
    const found: string[] = []
    for (const name of names) {
      await tab.goto(`${site.origin}/${lang}/${name}`)
      const seen = await tab.evaluate(() => {
        for (const details of document.querySelectorAll('details')) details.open = true
        const small = [...document.querySelectorAll<HTMLElement>('a, button, summary, input:not([type=checkbox])')]
          .filter(
            (one) =>
              one.offsetParent !== null &&
              !one.classList.contains('skip') &&
              one.getBoundingClientRect().height < 43.99,
          )
          .map((one) => `${one.outerHTML.slice(0, 80)} ${one.getBoundingClientRect().height}`)
        return { width: document.documentElement.scrollWidth, small }
      })
      if (seen.width > 320) found.push(`${name} is ${seen.width} wide`)
      found.push(...seen.small.map((one) => `${name}: ${one}`))
    }
    expect(found).toEqual([])
  },
)

test('nothing was blocked by our own Content-Security-Policy and no script failed', () => {
  expect(troubles).toEqual([])
})
