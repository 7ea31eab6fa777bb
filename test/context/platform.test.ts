import { expect, test } from 'vitest'
import { platformOf } from '#context'

test.each([
  ['Mozilla/5.0 (Linux; Android 16; SM-X210) AppleWebKit/537.36 Chrome/150.0.0.0 Safari/537.36', 'android'],
  ['Mozilla/5.0 (iPhone; CPU iPhone OS 20_0 like Mac OS X) AppleWebKit/605.1.15 Version/20.0 Mobile', 'ios'],
  ['Mozilla/5.0 (X11; CrOS x86_64 16000.0.0) AppleWebKit/537.36 Chrome/150.0.0.0 Safari/537.36', 'chromeos'],
  ['Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:150.0) Gecko/20100101 Firefox/150.0', 'windows'],
  ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/20.0 Safari/605.1.15', 'macos'],
  ['Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0', 'linux'],
  ['curl/8.14.1', undefined],
  [`${'x'.repeat(5000)} Windows`, undefined],
  [undefined, undefined],
])('%s is %s', (userAgent, platform) => {
  expect(platformOf(userAgent)).toBe(platform)
})
