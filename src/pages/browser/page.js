// @ts-check
/** Runs on every page. Everything works without it; with it, some things are kinder. */

// a form is sent once: a second press while the answer is on its way does nothing
document.addEventListener('submit', (event) => {
  if (event.defaultPrevented) return
  const form = /** @type {HTMLFormElement} */ (event.target)
  if (form.dataset['sent']) return event.preventDefault()
  form.dataset['sent'] = 'yes'
  // not before the form was read: a button that is switched off would not be sent
  setTimeout(() => {
    for (const button of form.querySelectorAll('button')) button.setAttribute('aria-disabled', 'true')
  })
})
// the Back button shows the page as it was left
addEventListener('pageshow', () => {
  for (const form of document.forms) {
    delete form.dataset['sent']
    for (const button of form.querySelectorAll('button')) button.removeAttribute('aria-disabled')
  }
})

for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll('[data-reveal]'))) {
  const input = /** @type {HTMLInputElement} */ (document.getElementById(button.dataset['reveal'] ?? ''))
  const show = button.textContent
  button.hidden = false
  button.addEventListener('click', () => {
    const hide = input.type === 'password'
    input.type = hide ? 'text' : 'password'
    button.textContent = hide ? (button.dataset['hide'] ?? show) : show
    input.focus()
  })
  // what is sent is a password again, so that the browser offers to keep it and never keeps it as a word
  input.form?.addEventListener('submit', () => {
    input.type = 'password'
    button.textContent = show
  })
}

for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll('[data-print]'))) {
  button.hidden = false
  button.addEventListener('click', () => print())
}

// the server does not know where the clock on the wall stands
const clock = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: 'medium', timeStyle: 'short' })
for (const time of document.querySelectorAll('time')) time.textContent = clock.format(new Date(time.dateTime))

export {}
