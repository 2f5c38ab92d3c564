//! Why octets from the link or the disk could not be read. Owns no recovery: whoever holds the
//! frame decides whether to quarantine it.

use riser_model::id::InvalidId;

/// What is wrong with a frame, a message or a topic.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WireError {
    /// The octets end before the named part does.
    #[error("the octets end inside {0}")]
    Truncated(&'static str),
    /// The named part contradicts the format.
    #[error("{0}")]
    Malformed(&'static str),
    /// The checksum does not match: damaged in transit or on disk.
    #[error("checksum is {found:08x}, but the frame says {stated:08x}: the frame is damaged")]
    Checksum {
        /// CRC32C of the octets.
        found: u32,
        /// CRC32C the frame carries.
        stated: u32,
    },
    /// A bound of [`crate::limits`] is exceeded.
    #[error("{what} is {given}, more than the {limit} allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it claims to be.
        given: u64,
        /// The bound.
        limit: u64,
    },
    /// Written by a newer version: this one does not know the named variant.
    #[error("unknown {what} {code}: written by a newer version of Riser")]
    Unknown {
        /// What is unknown.
        what: &'static str,
        /// Its code on the wire; 0 where the variant itself is not visible.
        code: i64,
    },
    /// The protobuf part cannot be decoded.
    #[error("protobuf cannot be decoded")]
    Protobuf(#[from] prost::DecodeError),
    /// A name breaks the rules of its kind.
    #[error("a name on the wire is not valid")]
    Name(#[from] InvalidId),
    /// The body cannot be decompressed.
    #[error("the body cannot be decompressed: {0}")]
    Compression(String),
}

impl WireError {
    /// Refuses `given` above `limit`.
    pub(crate) fn check(what: &'static str, given: usize, limit: usize) -> Result<(), Self> {
        if given <= limit {
            return Ok(());
        }
        Err(Self::TooLarge {
            what,
            given: given as u64,
            limit: limit as u64,
        })
    }
}
