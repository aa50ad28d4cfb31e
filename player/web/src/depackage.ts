/**
 * Objects of a track, as they come on several streams, to frames in decode order.
 *
 * A group is a GOP: object 0 is the keyframe, object IDs run across the group in decode order, and each
 * temporal layer is a subgroup with its own stream. A gap never reaches the decoder: a missing frame of an
 * enhancement layer is skipped with what needs it, a missing base frame moves on to the next group.
 */

import type { Header } from './loc'

/** One coded frame. */
export interface Frame {
  readonly group: number
  readonly subgroup: number
  readonly object: number
  readonly header: Header
  readonly payload: Uint8Array
  /** Local time of arrival, milliseconds. */
  readonly arrival: number
}

/** Whether a frame opens its group, and so decodes without any other. */
export function isKey(frame: Frame): boolean {
  return frame.object === 0
}

/** What was left out, and why. */
export interface Losses {
  /** Frames that never came, or came after their turn. */
  late: number
  /** Frames that came and were left out because one they need did not. */
  undecodable: number
  /** Groups left before their end. */
  skippedGroups: number
  /** Frames dropped because the buffer was full. */
  overflow: number
}

/** How frames of a track depend on each other. */
export type Dependence = 'gop' | 'independent'

interface Stream {
  open: boolean
  reset: boolean
  /** Highest object ID seen on it. */
  last: number
}

interface Group {
  readonly id: number
  readonly frames: Map<number, Frame>
  readonly streams: Map<number, Stream>
  /** Next object ID to hand out. */
  next: number
  /** First object ID past the group, once known. */
  end: number
}

const MAX_FRAMES = 900
const MAX_BYTES = 48 * 1024 * 1024

/** The reorder buffer of one track. Full, it drops its oldest groups. */
export class Depackager {
  readonly losses: Losses = { late: 0, undecodable: 0, skippedGroups: 0, overflow: 0 }
  readonly #groups = new Map<number, Group>()
  #current: Group | null = null
  #left = -1
  #layers = 1
  #blockedAbove = Infinity
  #frames = 0
  #bytes = 0

  constructor(private readonly dependence: Dependence) {}

  /** Frames that wait in it. */
  get size(): number {
    return this.#frames
  }

  /** Capture time in microseconds of the newest frame in it; `null` where it is empty. */
  get newest(): number | null {
    let newest: number | null = null
    for (const group of this.#groups.values()) {
      for (const frame of group.frames.values()) newest = Math.max(newest ?? -Infinity, frame.header.timestamp)
    }
    return newest
  }

  /** Takes an object. One that is too late is counted and dropped. */
  insert(frame: Frame): void {
    const group = this.#group(frame.group)
    if (group === null || frame.object < group.next) {
      this.losses.late += 1
      return
    }
    const stream = this.#stream(group, frame.subgroup)
    stream.last = Math.max(stream.last, frame.object)
    if (group.frames.has(frame.object)) return
    group.frames.set(frame.object, frame)
    this.#frames += 1
    this.#bytes += frame.payload.length
    this.#bound()
  }

  /** A stream of a subgroup begins: what it carries may still be on its way. */
  opened(group: number, subgroup: number): void {
    const known = this.#group(group)
    if (known) this.#stream(known, subgroup)
  }

  /** A stream of a subgroup is over; `reset` where it was abandoned before its end. */
  closed(group: number, subgroup: number, how: 'finished' | 'reset'): void {
    const known = this.#group(group)
    if (!known) return
    const stream = this.#stream(known, subgroup)
    stream.open = false
    stream.reset = how === 'reset'
  }

  /** The group has no object from `end` on. */
  endOfGroup(group: number, end: number): void {
    const known = this.#group(group)
    if (known) known.end = Math.min(known.end, end)
  }

  /**
   * The next frame in decode order, or `null` where it has to be waited for.
   * @param due capture time in microseconds up to which frames are needed now: what is missing before that
   * is not waited for any longer.
   */
  poll(due: number): Frame | null {
    for (;;) {
      const group = this.#current ?? this.#start()
      if (group === null) return null
      const frame = group.frames.get(group.next)
      if (frame) {
        this.#remove(group, frame)
        group.next += 1
        if (frame.subgroup <= this.#blockedAbove) {
          this.#blockedAbove = Infinity
          return frame
        }
        this.losses.undecodable += 1
        continue
      }
      if (this.#skipMissing(group, due) || this.#advance(group, due)) continue
      return null
    }
  }

  /** Moves on to the newest group that has its keyframe. Returns whether there is a newer one. */
  skipToNewest(): boolean {
    const newest = this.#startable(this.#left).at(-1)
    if (newest === undefined || newest === this.#current) return false
    if (this.#current) this.losses.skippedGroups += 1
    this.#enter(newest)
    return true
  }

  /** Capture time of the first frame of the oldest group that starts after `timestamp`. */
  groupStartAfter(timestamp: number): number | null {
    for (const group of this.#startable(this.#left)) {
      const start = group.frames.get(0)?.header.timestamp
      if (start !== undefined && start > timestamp) return start
    }
    return null
  }

  /** Drops every group that starts before `timestamp`, so that the next frame opens a group from there on. */
  dropBefore(timestamp: number): void {
    for (const group of [...this.#groups.values()].sort((a, b) => a.id - b.id)) {
      const start = group.frames.get(0)?.header.timestamp
      if (start !== undefined && start >= timestamp) return
      this.#drop(group)
    }
  }

  #group(id: number): Group | null {
    if (id <= this.#left) return null
    let group = this.#groups.get(id)
    if (!group) {
      group = { id, frames: new Map(), streams: new Map(), next: 0, end: Infinity }
      this.#groups.set(id, group)
    }
    return group
  }

  #stream(group: Group, subgroup: number): Stream {
    let stream = group.streams.get(subgroup)
    if (!stream) {
      stream = { open: true, reset: false, last: -1 }
      group.streams.set(subgroup, stream)
      this.#layers = Math.max(this.#layers, group.streams.size)
    }
    return stream
  }

  /** Groups past `after` whose first object is here, oldest first. */
  #startable(after: number): Group[] {
    const found = [...this.#groups.values()].filter((group) => group.id > after && group.next === 0 && group.frames.has(0))
    return found.sort((a, b) => a.id - b.id)
  }

  #start(): Group | null {
    const found = this.#startable(this.#left)
    const first = this.#left < 0 && this.dependence === 'gop' ? found.at(-1) : found[0]
    if (first === undefined) return null
    this.#enter(first)
    return first
  }

  #enter(group: Group): void {
    for (const other of this.#groups.values()) if (other.id < group.id) this.#drop(other)
    this.#left = group.id - 1
    this.#current = group
    this.#blockedAbove = Infinity
  }

  /** Decides about the missing object `group.next`; true where it was given up. */
  #skipMissing(group: Group, due: number): boolean {
    let following: Frame | null = null
    for (const frame of group.frames.values()) if (following === null || frame.object < following.object) following = frame
    if (following === null || group.next === 0) return false
    const streams = [...group.streams.values()]
    const gone = streams.length >= this.#layers && streams.every((stream) => !stream.open || stream.last > group.next)
    if (!gone && following.header.timestamp > due) return false
    const base = group.streams.get(0)
    const baseIsPast = base !== undefined && (base.last > group.next || (!base.open && !base.reset))
    if (this.dependence === 'gop' && !baseIsPast) return false
    this.losses.late += 1
    group.next += 1
    this.#blockedAbove = Math.min(this.#blockedAbove, 1)
    return true
  }

  /** Leaves the group where it is over or given up; true where another was entered. */
  #advance(group: Group, due: number): boolean {
    const next = this.#startable(group.id)[0]
    if (next === undefined) return false
    const start = next.frames.get(0)?.header.timestamp ?? Infinity
    const streams = [...group.streams.values()]
    const over =
      group.next >= group.end ||
      (group.frames.size === 0 &&
        (this.dependence === 'independent' ||
          (streams.length >= this.#layers && streams.every((stream) => !stream.open && !stream.reset))))
    const lost = group.streams.get(0)?.reset === true
    const follows = next.id === group.id + 1
    if (!(over && follows) && !(lost && follows) && start > due) return false
    if (!over) this.losses.skippedGroups += 1
    this.#enter(next)
    return true
  }

  #remove(group: Group, frame: Frame): void {
    group.frames.delete(frame.object)
    this.#frames -= 1
    this.#bytes -= frame.payload.length
  }

  #drop(group: Group): number {
    const count = group.frames.size
    for (const frame of group.frames.values()) this.#remove(group, frame)
    this.#groups.delete(group.id)
    this.#left = Math.max(this.#left, group.id)
    if (this.#current === group) this.#current = null
    return count
  }

  #bound(): void {
    while (this.#frames > MAX_FRAMES || this.#bytes > MAX_BYTES || this.#groups.size > MAX_FRAMES) {
      const oldest = [...this.#groups.values()].sort((a, b) => a.id - b.id)[0]
      if (oldest === undefined) return
      this.losses.overflow += this.#drop(oldest)
    }
  }
}
