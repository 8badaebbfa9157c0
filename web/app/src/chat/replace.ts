/**
 * replace gives a text field another text as if it were typed, so that it can be undone: a value that is set takes all undoing with it. Only what differs is
 * replaced. The field gets the focus, and says that it has changed.
 */
export function replace(field: HTMLTextAreaElement, to: string): void {
  const { value: before } = field
  if (before === to) return
  const shorter = Math.min(before.length, to.length)
  let begin = 0
  while (begin < shorter && before[begin] === to[begin]) begin++
  let end = 0
  while (end < shorter - begin && before[before.length - 1 - end] === to[to.length - 1 - end]) end++
  field.focus()
  field.setSelectionRange(begin, before.length - end)
  const put = to.slice(begin, to.length - end)
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- nothing else adds to what can be undone
  if (document.activeElement === field) document.execCommand(put === '' ? 'delete' : 'insertText', false, put)
  if (field.value !== to) field.value = to // it isn't shown, or the browser can't
}
