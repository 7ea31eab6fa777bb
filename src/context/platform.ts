/** The platform of a browser by what it says of itself. Anybody can say anything, so it can only be a hint. */

const LONGEST = 512

// the first that fits: Android and ChromeOS say Linux as well, an iPad says Mac OS X
const PLATFORMS = [
  [/\bAndroid\b/, 'android'],
  [/\b(?:iPhone|iPad|iPod)\b/, 'ios'],
  [/\bCrOS\b/, 'chromeos'],
  [/\bWindows\b/, 'windows'],
  [/\bMac OS X\b/, 'macos'],
  [/\bLinux\b/, 'linux'],
] as const

/** `android`, `ios`, `chromeos`, `windows`, `macos` or `linux`; undefined where it says none of them. */
export function platformOf(userAgent: string | undefined): string | undefined {
  const text = (userAgent ?? '').slice(0, LONGEST)
  return PLATFORMS.find(([sign]) => sign.test(text))?.[1]
}
