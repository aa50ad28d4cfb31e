/** The MSF catalog: which tracks a broadcast has (MSF-01). */

/** A complete catalog; tracks are in the order of the streamer's choice. */
export interface Catalog {
  readonly video: readonly VideoTrack[]
  readonly audio: readonly AudioTrack[]
  /** Whether the broadcast has ended for good. */
  readonly isComplete: boolean
  /** Tracks that this page cannot play and leaves out. */
  readonly skipped: number
}

interface Track {
  /** Name below the catalog's namespace. */
  readonly name: string
  /** WebCodecs codec string. */
  readonly codec: string
  /** Bits a second. */
  readonly bitrate: number
  /** Tracks with the same number are played together. */
  readonly renderGroup: number | null
  /** Tracks with the same number stand for each other: a simulcast ladder. */
  readonly altGroup: number | null
  /** Delay that the streamer aims at, in milliseconds. */
  readonly targetLatency: number | null
  /** WebCodecs `description`. */
  readonly description: Uint8Array | null
  /** What to call the track, where the streamer says so. */
  readonly label: string | null
}

/** A track of pictures. */
export interface VideoTrack extends Track {
  /** Pixels; 0 where the catalog does not say. */
  readonly width: number
  readonly height: number
  /** Pictures a second; 0 where the catalog does not say. */
  readonly frameRate: number
}

/** A track of sound. */
export interface AudioTrack extends Track {
  readonly sampleRate: number
  readonly channels: number
}

/** Why a catalog cannot be used. */
export class CatalogError extends Error {
  override name = 'CatalogError'
}

type Json = Record<string, unknown>

/** Follows a catalog track: takes its objects and keeps the catalog that results. */
export class Follower {
  #tracks: Json[] | null = null
  #initData = new Map<string, Uint8Array>()
  #group = -1
  #object = -1
  #complete = false

  /**
   * Takes one object. One that is older than what is known changes nothing, so an object may arrive twice.
   * @returns the catalog after it, or `null` where nothing changed.
   * @throws {CatalogError} where it is no MSF catalog of a known version, or a delta that does not fit.
   */
  take(group: number, object: number, payload: Uint8Array): Catalog | null {
    if (group < this.#group || (group === this.#group && object <= this.#object)) return null
    const root = parseJson(payload)
    if (Array.isArray(root['deltaUpdate'])) {
      if (group !== this.#group || object !== this.#object + 1 || this.#tracks === null) {
        throw new CatalogError('the catalog\'s update does not follow a catalog that is known here')
      }
      this.#tracks = applyDelta(this.#tracks, root['deltaUpdate'])
    } else {
      checkVersion(root['version'])
      if (!Array.isArray(root['tracks'])) throw new CatalogError('the catalog has no list of tracks')
      this.#tracks = root['tracks'].filter(isObject)
      this.#initData = readInitData(root['initDataList'])
    }
    this.#group = group
    this.#object = object
    this.#complete ||= root['isComplete'] === true
    return this.#read(this.#tracks)
  }

  #read(tracks: readonly Json[]): Catalog {
    const video: VideoTrack[] = []
    const audio: AudioTrack[] = []
    let skipped = 0
    for (const json of tracks) {
      const common = readTrack(json, this.#initData)
      const kind = common === null ? null : kindOf(json, common.codec)
      if (common === null || kind === null) skipped += 1
      else if (kind === 'video') {
        video.push({
          ...common,
          width: number(json['width']) ?? 0,
          height: number(json['height']) ?? 0,
          frameRate: number(json['framerate']) ?? 0,
        })
      } else {
        audio.push({
          ...common,
          sampleRate: number(json['samplerate']) ?? 48_000,
          channels: channels(json['channelConfig']),
        })
      }
    }
    return { video, audio, skipped, isComplete: this.#complete }
  }
}

function parseJson(payload: Uint8Array): Json {
  let root: unknown
  try {
    root = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
  } catch {
    throw new CatalogError('the catalog is no JSON: the publisher is not one of MSF')
  }
  if (!isObject(root)) throw new CatalogError('the catalog is no JSON object: the publisher is not one of MSF')
  return root
}

/** draft-01 and its release name: the fields read here mean the same in both. */
function checkVersion(version: unknown): void {
  if (version === 'draft-01' || version === '1') return
  throw new CatalogError(
    `the catalog has version ${JSON.stringify(version)}; this page knows draft-01: update the older of both`,
  )
}

function readInitData(list: unknown): Map<string, Uint8Array> {
  const known = new Map<string, Uint8Array>()
  if (!Array.isArray(list)) return known
  for (const entry of list.filter(isObject)) {
    const data = base64(entry['data'])
    if (typeof entry['id'] === 'string' && entry['type'] === 'inline' && data !== null) known.set(entry['id'], data)
  }
  return known
}

function applyDelta(before: readonly Json[], operations: readonly unknown[]): Json[] {
  let tracks = [...before]
  const find = (name: unknown): Json | undefined => tracks.find((track) => track['name'] === name)
  for (const operation of operations.filter(isObject)) {
    const listed = Array.isArray(operation['tracks']) ? operation['tracks'].filter(isObject) : []
    for (const track of listed) {
      const existing = find(track['name'])
      switch (operation['op']) {
        case 'add':
          if (existing) throw new CatalogError(`the catalog's update adds ${JSON.stringify(track['name'])} twice`)
          tracks.push(track)
          break
        case 'remove':
          tracks = tracks.filter((other) => other !== existing)
          break
        case 'clone': {
          const parent = find(track['parentName'])
          if (!parent || existing) throw new CatalogError('the catalog\'s update clones a track that is not there')
          tracks.push({ ...parent, ...track })
          break
        }
        default:
          throw new CatalogError(`the catalog's update has an unknown operation ${JSON.stringify(operation['op'])}`)
      }
    }
  }
  return tracks
}

function readTrack(json: Json, initData: ReadonlyMap<string, Uint8Array>): Track | null {
  const { name, codec } = json
  if (typeof name !== 'string' || typeof codec !== 'string') return null
  if (json['packaging'] !== 'loc') return null
  const ref = json['initRef']
  return {
    name,
    codec,
    bitrate: number(json['bitrate']) ?? 0,
    renderGroup: number(json['renderGroup']),
    altGroup: number(json['altGroup']),
    targetLatency: number(json['targetLatency']),
    description: (typeof ref === 'string' ? initData.get(ref) : undefined) ?? base64(json['initData']),
    label: typeof json['label'] === 'string' ? json['label'] : null,
  }
}

function kindOf(json: Json, codec: string): 'video' | 'audio' | null {
  if (json['role'] === 'video' || json['role'] === 'audio') return json['role']
  if (/^(avc|hev|hvc|vp0|vp8|vp9|av01)/.test(codec)) return 'video'
  if (/^(opus|mp4a)/.test(codec)) return 'audio'
  return null
}

function channels(config: unknown): number {
  if (config === 'mono') return 1
  const count = Number(config)
  return Number.isInteger(count) && count >= 1 && count <= 8 ? count : 2
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null
}

function base64(value: unknown): Uint8Array | null {
  if (typeof value !== 'string') return null
  try {
    return Uint8Array.from(atob(value), (char) => char.charCodeAt(0))
  } catch {
    return null
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What people call a rendition. */
export function label(track: VideoTrack): string {
  if (track.label !== null) return track.label
  if (track.height === 0) return track.name
  const rate = Math.round(track.frameRate)
  return rate > 30 ? `${track.height}p${rate}` : `${track.height}p`
}
