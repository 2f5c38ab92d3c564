//! Bounds every decoder keeps, so that no octets from outside can make it use unbounded memory.

/// Most samples a writer should put into one frame. A soft bound: decoders take up to
/// [`MAX_SAMPLES`].
pub const SOFT_SAMPLES: usize = 4_096;
/// Size in octets a writer should keep a frame below; split the scans and encode again if not.
pub const SOFT_FRAME: usize = 256 * 1024;
/// Longest data frame or message a decoder takes, in octets.
pub const MAX_FRAME: usize = 1024 * 1024;
/// Longest event frame a decoder takes, in octets: the directory of a very large gateway.
pub const MAX_EVENT_FRAME: usize = 4 * 1024 * 1024;
/// Longest body once decompressed, in octets.
pub const MAX_BODY: usize = 16 * 1024 * 1024;
/// Most samples in one frame.
pub const MAX_SAMPLES: usize = 1_000_000;
/// Most points in one directory.
pub const MAX_POINTS: usize = 250_000;
/// Most labels in one directory, of all points together.
pub const MAX_LABELS: usize = 1_000_000;
/// Most rows of the loss ledger in one event, and most devices on its lanes together.
pub const MAX_LEDGER_ROWS: usize = 100_000;
/// Most frames the rollup of one stretch may take.
pub const MAX_ROLLUP_PIECES: u32 = 1_024;
/// Most ranges above the contiguous mark in one durable message.
pub const MAX_RANGES: usize = 256;
/// Most points in one watch lease.
pub const MAX_LEASE_PATHS: usize = 4_096;
