/** What the viewer remembers for next time, where the browser lets it. */

const PREFIX = 'live-room:'

/** What was remembered under a name. */
export function recall(name: string): string | null {
  try {
    return localStorage.getItem(PREFIX + name)
  } catch {
    return null
  }
}

/** Remembers a value; `null` forgets it. */
export function remember(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name)
    else localStorage.setItem(PREFIX + name, value)
  } catch {
    // A private window forgets; nothing depends on it.
  }
}
