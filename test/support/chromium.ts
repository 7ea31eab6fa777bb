/** Debian's Chromium as a person has it: a fresh profile, a visit per test, an authenticator where one is needed. */
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export interface Chromium {
  readonly browser: Browser
  /** A browser of its own: no cookie of any other visit. */
  visit(options?: BrowserContextOptions): Promise<BrowserContext>
  /** The first page of a visit of its own. */
  tab(options?: BrowserContextOptions): Promise<Page>
  /** Scripts that failed and what a Content-Security-Policy stopped, of all visits. */
  readonly troubles: readonly string[]
  /** After each test. */
  endVisits(): Promise<void>
  /** After each file. */
  close(): Promise<void>
}

/** `keepPages`: pages that were left are kept as they are for the Back button, as in a browser that people use. */
export async function startChromium({ keepPages = false } = {}): Promise<Chromium> {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ARGUMENTS,
    ...(keepPages ? { ignoreDefaultArgs: ['--disable-back-forward-cache'] } : {}),
  })
  // as people's browsers call themselves
  const userAgent = `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${browser.version()} Safari/537.36`
  const troubles: string[] = []
  const visits = new Set<BrowserContext>()

  async function visit(options: BrowserContextOptions = {}): Promise<BrowserContext> {
    const context = await browser.newContext({ userAgent, ...options })
    context.setDefaultTimeout(10_000)
    context.on('weberror', (error) => troubles.push(error.error().message))
    context.on('console', (message) => {
      // an answer such as 400 is not the page's trouble
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        troubles.push(message.text())
    })
    visits.add(context)
    return context
  }

  return {
    browser,
    visit,
    tab: async (options) => (await visit(options)).newPage(),
    troubles,
    async endVisits() {
      for (const context of visits) await context.close()
      visits.clear()
    },
    close: () => browser.close(),
  }
}

/**
 * A platform authenticator in the tab, which confirms whenever it is asked. With `autofill: false` the browser does not
 * offer passkeys by itself, so that a person has to press the button.
 */
export async function addAuthenticator(tab: Page, { autofill = true } = {}): Promise<void> {
  const devtools = await tab.context().newCDPSession(tab)
  await devtools.send('WebAuthn.enable')
  await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
  if (!autofill)
    await tab.addInitScript(() => {
      PublicKeyCredential.isConditionalMediationAvailable = async () => false
    })
}
