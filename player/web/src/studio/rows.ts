/** Lists that are walked by keys: one row is in the order of the Tab key, arrows go from row to row. */

/** The row that a key goes to; `null` where it goes nowhere. */
export function step(key: string, at: number, rows: number): number | null {
  if (rows === 0) return null
  switch (key) {
    case 'ArrowDown':
      return Math.min(at + 1, rows - 1)
    case 'ArrowUp':
      return Math.max(at - 1, 0)
    case 'Home':
      return 0
    case 'End':
      return rows - 1
    default:
      return null
  }
}

/** Whether a key press is a word to the row, and not for something in it. */
export function isForRow(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return false
  const [target] = event.composedPath()
  return !(target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement)
}

/** The rows of a list, in their order. */
export function rowsOf(list: ParentNode): HTMLElement[] {
  return [...list.querySelectorAll<HTMLElement>('[data-row]')]
}

/** Takes the focus along with a key; whether it was one that walks. */
export function walk(event: KeyboardEvent, list: ParentNode): boolean {
  const [target] = event.composedPath()
  const rows = rowsOf(list)
  const at = rows.findIndex((row) => target instanceof Node && row.contains(target))
  const next = step(event.key, at, rows.length)
  if (next === null || at < 0) return false
  event.preventDefault()
  rows[next]?.focus()
  return true
}
