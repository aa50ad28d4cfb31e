/** Finds the relay from its own pages. */

import type { Endpoint } from './client'

/** Where the relay speaks MoQT, and which certificate it has at present. */
export async function find(): Promise<Endpoint> {
  const response = await fetch('/certificate.json', { cache: 'no-store' })
  if (!response.ok) throw new Error(`/certificate.json: HTTP ${response.status}`)
  const { hash, port } = (await response.json()) as { hash: string | null; port: number }
  const host = location.hostname || 'localhost'
  return { relay: `https://${host}:${port}/`, certHash: hash || null }
}
