//! Stream codes on the wire: WebTransport shares the code space of HTTP/3, so application codes are
//! shifted into a range of their own (draft-ietf-webtrans-http3 §4.4). Raw QUIC takes them as they are.

use quinn::VarInt;

/// First HTTP/3 code that stands for a WebTransport application code.
const FIRST: u64 = 0x52e4_a40f_a8db;
/// Last one: it stands for the largest 32-bit application code.
const LAST: u64 = 0x52e5_ac98_3162;
/// Every 31st HTTP/3 code is reserved, so the range skips it.
const BETWEEN_RESERVED: u64 = 0x1e;

/// What the numbers in RESET_STREAM and STOP_SENDING mean on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeSpace {
    /// Application codes as they are.
    Quic,
    /// Application codes shifted into the WebTransport range.
    WebTransport,
}

impl CodeSpace {
    /// The number to send for an application code; one that does not fit becomes the largest that does.
    pub(crate) fn wire_code(self, code: u64) -> VarInt {
        let wire = match self {
            Self::Quic => code,
            Self::WebTransport => {
                let code = code.min(u64::from(u32::MAX));
                FIRST + code + code / BETWEEN_RESERVED
            }
        };
        VarInt::from_u64(wire).unwrap_or(VarInt::MAX)
    }

    /// The application code that a received number stands for. A number outside the WebTransport range
    /// is HTTP/3's own, as when a browser throws a stream away: it becomes 0.
    pub(crate) fn application_code(self, wire: VarInt) -> u64 {
        let wire = wire.into_inner();
        match self {
            Self::Quic => wire,
            Self::WebTransport if (FIRST..=LAST).contains(&wire) => {
                let shifted = wire - FIRST;
                shifted - shifted / (BETWEEN_RESERVED + 1)
            }
            Self::WebTransport => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_pairs_of_the_draft() {
        for (code, wire) in [
            (0, FIRST),
            (1, FIRST + 1),
            (0x1d, FIRST + 0x1d),
            // The reserved number between these two is skipped.
            (0x1e, FIRST + 0x1f),
            (u64::from(u32::MAX), LAST),
        ] {
            assert_eq!(CodeSpace::WebTransport.wire_code(code).into_inner(), wire);
        }
    }

    #[test]
    fn every_code_comes_back() {
        let mut code = 0;
        while code <= u64::from(u32::MAX) {
            let wire = CodeSpace::WebTransport.wire_code(code);
            assert_eq!(CodeSpace::WebTransport.application_code(wire), code);
            assert_ne!((wire.into_inner() - 0x21) % 0x1f, 0, "code {code} became a reserved number");
            code = code * 17 / 16 + 1;
        }
        assert_eq!(CodeSpace::Quic.application_code(CodeSpace::Quic.wire_code(77)), 77);
    }

    #[test]
    fn what_is_out_of_range_is_tamed() {
        let most = CodeSpace::WebTransport.wire_code(u64::MAX);
        assert_eq!(CodeSpace::WebTransport.application_code(most), u64::from(u32::MAX));
        assert_eq!(CodeSpace::WebTransport.application_code(VarInt::from_u32(0x10c)), 0);
        assert_eq!(CodeSpace::Quic.wire_code(u64::MAX), VarInt::MAX);
    }
}
