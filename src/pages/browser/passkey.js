// @ts-check
/** Passkeys: asks the browser as the form's options say, and sends what it gives with an ordinary form. */

// browsers without the JSON methods of WebAuthn level 3 (§5.1.8, §5.1.10) keep the page's other ways
const known = typeof PublicKeyCredential === 'function' && 'parseRequestOptionsFromJSON' in PublicKeyCredential
if (known) {
  for (const note of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-without-passkey]')))
    note.hidden = true
  for (const form of /** @type {NodeListOf<HTMLFormElement>} */ (document.querySelectorAll('[data-passkey]')))
    prepare(form)
}

/** @param {HTMLFormElement} form */
function prepare(form) {
  const { passkey, options = '{}', cancelled = '', failed = '', exists = failed, conditional } = form.dataset
  const field = /** @type {HTMLInputElement} */ (form.elements.namedItem('credential'))
  const status = form.querySelector('[data-status]')
  /** @param {string} text */
  const say = (text) => {
    if (status) status.textContent = text
  }
  let waiting = new AbortController()
  form.hidden = false

  /** @param {boolean} quietly */
  async function ask(quietly) {
    waiting.abort()
    waiting = new AbortController()
    const { signal } = waiting
    try {
      const json = JSON.parse(options)
      const credential =
        passkey === 'create'
          ? await navigator.credentials.create({
              publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(json),
              signal,
            })
          : await navigator.credentials.get({
              publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(json),
              signal,
              ...(quietly && { mediation: /** @type {const} */ ('conditional') }),
            })
      if (!credential || signal.aborted) return
      field.value = JSON.stringify(/** @type {PublicKeyCredential} */ (credential).toJSON())
      form.requestSubmit()
    } catch (error) {
      const { name } = /** @type {Error} */ (error)
      // another request took its place, or nobody was asking
      if (signal.aborted || quietly) return
      say(
        name === 'InvalidStateError'
          ? exists
          : name === 'NotAllowedError' || name === 'AbortError'
            ? cancelled
            : failed,
      )
      if (conditional !== undefined) void ask(true)
    }
  }

  form.addEventListener('submit', (event) => {
    if (field.value) return
    event.preventDefault()
    say('')
    void ask(false)
  })
  addEventListener('pageshow', (event) => {
    // after Back, the answer that was sent is spent
    if (event.persisted) field.value = ''
  })
  if (conditional !== undefined) {
    void PublicKeyCredential.isConditionalMediationAvailable?.().then((can) => (can ? ask(true) : undefined))
  }
}

export {}
