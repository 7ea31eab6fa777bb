/** Messages for apps go by themselves: at once, or after so many seconds. */
for (const form of document.querySelectorAll<HTMLFormElement>('[data-post] form')) {
  const after = Number(form.parentElement?.dataset['post'])
  if (after > 0) setTimeout(() => form.requestSubmit(), after * 1000)
  else form.requestSubmit()
}

export {}
