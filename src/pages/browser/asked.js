// @ts-check
/**
 * A page that is left open shows by itself that somebody asks. It looks every few seconds while it is looked at, at an address
 * that counts as no sign of life; without scripts, loading the page again does the same.
 */
const SECONDS = 5
const SLOWEST = 60
let wait = SECONDS
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer
const section = () => /** @type {HTMLElement | null} */ (document.querySelector('[data-asked]'))

/**
 * @param {string} address
 * @param {XMLHttpRequestResponseType} type
 */
const load = (address, type) =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('GET', address)
    request.responseType = type
    request.onload = () => (request.status === 200 ? resolve(request.response) : reject(request.status))
    request.onerror = reject
    request.send()
  })

const look = async () => {
  const here = section()
  if (!here) return
  try {
    const { mark } = await load('/confirmations', 'json')
    // signed out, or no longer allowed: the next click says so
    if (mark === undefined) return
    wait = SECONDS
    if (mark !== here.dataset['asked']) {
      const there = (await load(location.pathname, 'document')).querySelector('[data-asked]')
      // the section itself stays: what changes in it is read out
      if (there) {
        here.replaceChildren(...there.children)
        here.dataset['asked'] = there.dataset['asked']
      }
    }
  } catch {
    wait = Math.min(SLOWEST, wait * 2)
  }
  begin()
}
const begin = () => {
  clearTimeout(timer)
  if (!document.hidden) timer = setTimeout(look, wait * 1000)
}
document.addEventListener('visibilitychange', () => {
  clearTimeout(timer)
  if (!document.hidden) look()
})
begin()

export {}
