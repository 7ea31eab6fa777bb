/** A browser in two words, for the list of sign-ins. A guess for people to recognise, never a fact to decide on. */
import type { Messages } from './languages/en.ts'
import { fill } from './words.ts'

// the first that fits: most browsers also claim to be those further down
const BROWSERS = [
  [/\bEdgA?\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\bFirefox\/|\bFxiOS\//, 'Firefox'],
  [/\b(?:Headless)?Chrome\/|\bCriOS\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
] as const
const SYSTEMS = [
  [/\bAndroid\b/, 'Android'],
  [/\biPad\b/, 'iPad'],
  [/\biPhone\b/, 'iPhone'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b/, 'macOS'],
  [/\bLinux\b/, 'Linux'],
] as const

/** "Chrome on Android", or undefined when the text names no browser we know. */
export function browserName(messages: Messages, userAgent: string | undefined): string | undefined {
  const text = (userAgent ?? '').slice(0, 512)
  const browser = BROWSERS.find(([sign]) => sign.test(text))?.[1]
  const system = SYSTEMS.find(([sign]) => sign.test(text))?.[1]
  return browser && system ? fill(messages.account.browserOn, { browser, system }) : (browser ?? system)
}
