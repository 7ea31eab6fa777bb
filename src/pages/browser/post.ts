/** The message for an app goes by itself. */
document.querySelector<HTMLFormElement>('[data-post] form')?.requestSubmit()

export {}
