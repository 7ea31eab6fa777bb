/**
 * Looks at every page: `node test/pages/gallery.ts [folder] [part of a name …]` writes each view in each language as a file
 * and takes pictures by day and by night, on a telephone and on a tablet. For people who change how things look.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LANGUAGES, messagesFor } from '#pages'
import { openBrowser, openSite } from './browser.ts'
import { page, samples } from './samples.ts'

const [folder = join(tmpdir(), 'portico-gallery'), ...only] = process.argv.slice(2)
const SCREENS = { phone: { width: 360, height: 740 }, tablet: { width: 1024, height: 768 } } as const
const pages = new Map<string, ReturnType<typeof page>>(
  LANGUAGES.flatMap((lang) =>
    Object.entries(samples(messagesFor(lang))).map(([name, view]) => [`${name}.${lang}`, page(view, lang)] as const),
  ),
)

mkdirSync(folder, { recursive: true })
for (const [name, { body }] of pages) writeFileSync(join(folder, `${name}.html`), body)
const site = await openSite((path) => pages.get(path.slice(1)))
const browser = await openBrowser()
try {
  for (const [screen, viewport] of Object.entries(SCREENS)) {
    const tab = await browser.newPage({ viewport })
    for (const name of pages.keys()) {
      const wanted = (['light', 'dark'] as const).filter(
        (scheme) => only.length === 0 || only.some((part) => `${name}.${screen}.${scheme}`.includes(part)),
      )
      if (wanted.length === 0) continue
      await tab.goto(`${site.origin}/${name}`)
      for (const colorScheme of wanted) {
        // a picture in the middle of a fading colour shows what nobody sees
        await tab.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
        await tab.screenshot({ path: join(folder, `${name}.${screen}.${colorScheme}.png`), fullPage: true })
      }
    }
  }
} finally {
  await browser.close()
  await site.close()
}
console.log(folder)
