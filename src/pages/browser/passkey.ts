/** Passkeys: asks the browser as the form's options say, and sends what it gives with an ordinary form. */

// browsers without the JSON methods of WebAuthn level 3 (§5.1.8, §5.1.10) keep the page's other ways
const known = typeof PublicKeyCredential === 'function' && 'parseRequestOptionsFromJSON' in PublicKeyCredential
if (known) {
  for (const note of document.querySelectorAll<HTMLElement>('[data-without-passkey]')) note.hidden = true
  for (const form of document.querySelectorAll<HTMLFormElement>('[data-passkey]')) prepare(form)
}

function prepare(form: HTMLFormElement): void {
  const { passkey, options = '{}', cancelled = '', failed = '', exists = failed, conditional } = form.dataset
  const field = form.elements.namedItem('credential') as HTMLInputElement
  const status = form.querySelector<HTMLElement>('[data-status]')
  const say = (text: string) => {
    if (status) status.textContent = text
  }
  let waiting = new AbortController()
  form.hidden = false

  async function ask(quietly: boolean): Promise<void> {
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
              ...(quietly && { mediation: 'conditional' as const }),
            })
      if (!credential || signal.aborted) return
      field.value = JSON.stringify((credential as PublicKeyCredential).toJSON())
      form.requestSubmit()
    } catch (error) {
      const { name } = error as Error
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
