//! The draft's error codes (draft-18 §15.10). A code that is not listed is kept as it came.

use std::fmt;

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $value:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(pub u64);

        #[expect(non_upper_case_globals, reason = "they read as the variants of an open enum")]
        impl $name {
            $(
                #[doc = concat!("`", $text, "` (", stringify!($value), ")")]
                pub const $variant: Self = Self($value);
            )*

            /// The draft's name of the code; `None` for one that it does not list.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "code {:#x}", self.0),
                }
            }
        }
    };
}

codes! {
    /// Why a session was closed (draft-18 §15.10.1).
    SessionCode {
        NoError = 0x0, "NO_ERROR";
        InternalError = 0x1, "INTERNAL_ERROR";
        Unauthorized = 0x2, "UNAUTHORIZED";
        ProtocolViolation = 0x3, "PROTOCOL_VIOLATION";
        InvalidRequestId = 0x4, "INVALID_REQUEST_ID";
        DuplicateTrackAlias = 0x5, "DUPLICATE_TRACK_ALIAS";
        KeyValueFormattingError = 0x6, "KEY_VALUE_FORMATTING_ERROR";
        InvalidPath = 0x8, "INVALID_PATH";
        MalformedPath = 0x9, "MALFORMED_PATH";
        GoawayTimeout = 0x10, "GOAWAY_TIMEOUT";
        ControlMessageTimeout = 0x11, "CONTROL_MESSAGE_TIMEOUT";
        DataStreamTimeout = 0x12, "DATA_STREAM_TIMEOUT";
        AuthTokenCacheOverflow = 0x13, "AUTH_TOKEN_CACHE_OVERFLOW";
        DuplicateAuthTokenAlias = 0x14, "DUPLICATE_AUTH_TOKEN_ALIAS";
        VersionNegotiationFailed = 0x15, "VERSION_NEGOTIATION_FAILED";
        MalformedAuthToken = 0x16, "MALFORMED_AUTH_TOKEN";
        UnknownAuthTokenAlias = 0x17, "UNKNOWN_AUTH_TOKEN_ALIAS";
        ExpiredAuthToken = 0x18, "EXPIRED_AUTH_TOKEN";
        InvalidAuthority = 0x19, "INVALID_AUTHORITY";
        MalformedAuthority = 0x1a, "MALFORMED_AUTHORITY";
    }
}

codes! {
    /// Why a request was refused (draft-18 §15.10.2).
    RequestCode {
        InternalError = 0x0, "INTERNAL_ERROR";
        Unauthorized = 0x1, "UNAUTHORIZED";
        Timeout = 0x2, "TIMEOUT";
        NotSupported = 0x3, "NOT_SUPPORTED";
        MalformedAuthToken = 0x4, "MALFORMED_AUTH_TOKEN";
        ExpiredAuthToken = 0x5, "EXPIRED_AUTH_TOKEN";
        GoingAway = 0x6, "GOING_AWAY";
        ExcessiveLoad = 0x9, "EXCESSIVE_LOAD";
        DoesNotExist = 0x10, "DOES_NOT_EXIST";
        InvalidRange = 0x11, "INVALID_RANGE";
        MalformedTrack = 0x12, "MALFORMED_TRACK";
        DuplicateSubscription = 0x19, "DUPLICATE_SUBSCRIPTION";
        Uninterested = 0x20, "UNINTERESTED";
        PrefixOverlap = 0x30, "PREFIX_OVERLAP";
        NamespaceTooLarge = 0x31, "NAMESPACE_TOO_LARGE";
        InvalidJoiningRequestId = 0x32, "INVALID_JOINING_REQUEST_ID";
        UnsupportedExtension = 0x33, "UNSUPPORTED_EXTENSION";
        Redirect = 0x34, "REDIRECT";
    }
}

codes! {
    /// Why a publisher ended a subscription (draft-18 §15.10.3).
    DoneCode {
        InternalError = 0x0, "INTERNAL_ERROR";
        Unauthorized = 0x1, "UNAUTHORIZED";
        TrackEnded = 0x2, "TRACK_ENDED";
        SubscriptionEnded = 0x3, "SUBSCRIPTION_ENDED";
        GoingAway = 0x4, "GOING_AWAY";
        TooFarBehind = 0x5, "TOO_FAR_BEHIND";
        Expired = 0x6, "EXPIRED";
        UpdateFailed = 0x8, "UPDATE_FAILED";
        ExcessiveLoad = 0x9, "EXCESSIVE_LOAD";
        MalformedTrack = 0x12, "MALFORMED_TRACK";
    }
}

codes! {
    /// Why a data stream was abandoned (draft-18 §15.10.4).
    ResetCode {
        InternalError = 0x0, "INTERNAL_ERROR";
        Cancelled = 0x1, "CANCELLED";
        DeliveryTimeout = 0x2, "DELIVERY_TIMEOUT";
        SessionClosed = 0x3, "SESSION_CLOSED";
        GoingAway = 0x4, "GOING_AWAY";
        TooFarBehind = 0x5, "TOO_FAR_BEHIND";
        UnknownObjectStatus = 0x6, "UNKNOWN_OBJECT_STATUS";
        ExpiredAuthToken = 0x7, "EXPIRED_AUTH_TOKEN";
        ExcessiveLoad = 0x9, "EXCESSIVE_LOAD";
        MalformedTrack = 0x12, "MALFORMED_TRACK";
    }
}
