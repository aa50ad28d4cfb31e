/** The draft's error codes that this page acts on (draft-18 §15.9). */

/** Why a request was refused (draft-18 §15.9.2). */
export const RequestCode = {
  unauthorized: 0x1,
  timeout: 0x2,
  malformedAuthToken: 0x4,
  expiredAuthToken: 0x5,
  goingAway: 0x6,
  doesNotExist: 0x10,
} as const

/** Why a publisher ended a subscription (draft-18 §15.9.3). */
export const DoneCode = {
  unauthorized: 0x1,
  trackEnded: 0x2,
  expired: 0x6,
} as const

/** Why a session was closed (draft-18 §15.9.1). */
export const SessionCode = {
  unauthorized: 0x2,
  malformedAuthToken: 0x16,
  expiredAuthToken: 0x18,
} as const

/** Whether a refused request means that this viewer is not let in. */
export function requestDenied(code: number): boolean {
  const { unauthorized, malformedAuthToken, expiredAuthToken } = RequestCode
  return code === unauthorized || code === malformedAuthToken || code === expiredAuthToken
}

/** Whether a closed session means that this viewer is not let in. */
export function sessionDenied(code: number): boolean {
  const { unauthorized, malformedAuthToken, expiredAuthToken } = SessionCode
  return code === unauthorized || code === malformedAuthToken || code === expiredAuthToken
}
