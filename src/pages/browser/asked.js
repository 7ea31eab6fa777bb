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

/** @returns {Promise<Document | null>} */
const load = () =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('GET', '/confirmations')
    // the browser reads it as a document: no text becomes markup here
    request.responseType = 'document'
    request.onload = () => (request.status === 200 ? resolve(request.responseXML) : reject(request.status))
    request.onerror = reject
    request.send()
  })

const look = async () => {
  const here = section()
  if (!here) return
  try {
    const there = /** @type {HTMLElement | null | undefined} */ ((await load())?.querySelector('[data-asked]'))
    // signed out, or no longer allowed: the next click says so
    if (!there) return
    wait = SECONDS
    // the section itself stays: what changes in it is read out
    if (there.dataset['asked'] !== here.dataset['asked']) {
      here.replaceChildren(...there.children)
      here.dataset['asked'] = there.dataset['asked']
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
