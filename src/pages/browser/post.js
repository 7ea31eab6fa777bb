// @ts-check
/** Messages for apps go by themselves: at once, or after so many seconds. */
for (const form of /** @type {NodeListOf<HTMLFormElement>} */ (document.querySelectorAll('[data-post] form'))) {
  const after = Number(form.parentElement?.dataset['post'])
  if (after > 0) setTimeout(() => form.requestSubmit(), after * 1000)
  else form.requestSubmit()
}

export {}
