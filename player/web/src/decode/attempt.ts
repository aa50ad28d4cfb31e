/** What browsers' decoders throw at once, told like what they find out later. */

/**
 * Does something with a decoder. Where it throws, the decoder is closed, and `failed` is told why once the
 * caller is done.
 */
export function attempt(action: () => void, close: () => void, failed: (reason: string) => void): void {
  try {
    action()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    close()
    queueMicrotask(() => failed(reason))
  }
}
