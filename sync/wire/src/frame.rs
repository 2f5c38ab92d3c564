//! Frames: what the store keeps and the link carries, byte for byte the same. Owns header,
//! compression and their bounds; the columnar body is `body`'s, what is around both is `envelope`'s
//! (magic "RF").

use crate::envelope::{seal, unseal};
use crate::limits::{MAX_BODY, MAX_FRAME, MAX_SAMPLES};
use crate::{WireError, body, census, proto, to_proto, zip};
use prost::Message;
use riser_model::{ClockState, Event, Quality, Sample, ScanBatch, Slot, Timestamp, Value};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use uuid::Uuid;

const MAGIC: [u8; 2] = *b"RF";
/// Bodies below this length are not worth compressing.
const COMPRESS_FROM: usize = 64;

/// The two numbered streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Alarms, commands, outcomes, the point directory, losses.
    Event = 1,
    /// Sample batches.
    Data = 2,
}

impl Stream {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Event, Self::Data];
}

/// Names one numbering of the streams. Random; a new one whenever the numbers could repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Epoch(pub Uuid);

impl std::fmt::Display for Epoch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What can be known of a frame without decompressing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Which numbering `seq` belongs to.
    pub epoch: Epoch,
    /// Which of the two streams.
    pub stream: Stream,
    /// From 1, dense per epoch and stream.
    pub seq: u64,
    /// Source time of the oldest sample, or of the event.
    pub first_at: Timestamp,
    /// Source time of the newest sample.
    pub last_at: Timestamp,
    /// Version of the point directory the slots belong to.
    pub dictionary: u32,
    /// How far the gateway's clock could be trusted.
    pub clock: ClockState,
    /// Samples in the frame; 0 for an event. The encoders fill it in themselves.
    pub samples: u32,
}

/// Encodes scans into one frame. `header.samples` is taken from the scans, not from the header.
///
/// The caller keeps to [`crate::limits::SOFT_SAMPLES`] and checks the length of the result
/// against [`MAX_FRAME`]: no decoder takes a longer one, nor a body above [`MAX_BODY`].
#[must_use]
pub fn encode_data(header: &BatchHeader, scans: &[ScanBatch]) -> Vec<u8> {
    let body::Written { octets, samples } = body::write(header.first_at, scans);
    let header = BatchHeader {
        stream: Stream::Data,
        samples,
        ..*header
    };
    assemble(&header, proto::Layout::Columns, &octets)
}

/// Encodes one event into one frame. Only a directory can come near [`crate::limits::MAX_EVENT_FRAME`]: some
/// hundred thousand points.
#[must_use]
pub fn encode_event(header: &BatchHeader, event: &Event) -> Vec<u8> {
    encode_event_body(header, &to_proto::event_octets(event))
}

/// Encodes an event that is in protobuf already.
pub(crate) fn encode_event_body(header: &BatchHeader, octets: &[u8]) -> Vec<u8> {
    let header = BatchHeader {
        stream: Stream::Event,
        samples: 0,
        ..*header
    };
    assemble(&header, proto::Layout::Event, octets)
}

/// Reads the header of a frame and verifies its checksum; decompresses nothing.
pub fn peek(frame: &[u8]) -> Result<BatchHeader, WireError> {
    Ok(Opened::open(frame)?.header)
}

/// Decodes a data frame. The samples come series by series, each series in order of time.
pub fn decode_data(frame: &[u8]) -> Result<(BatchHeader, Vec<Sample>), WireError> {
    let opened = Opened::open(frame)?;
    let body = opened.body(proto::Layout::Columns)?;
    let samples = body::decode(
        opened.header.first_at,
        &body,
        opened.header.samples as usize,
    )?;
    Ok((opened.header, samples))
}

/// Visits the samples of one point in order of time; a point that is not in the frame is no
/// error. Other series are passed over, not decoded.
pub fn read_point(
    frame: &[u8],
    slot: Slot,
    visit: &mut dyn FnMut(Timestamp, Option<&Value>, Quality),
) -> Result<(), WireError> {
    let opened = Opened::open(frame)?;
    let body = opened.body(proto::Layout::Columns)?;
    body::read_point(opened.header.first_at, &body, slot, visit)
}

/// Decodes an event frame.
pub fn decode_event(frame: &[u8]) -> Result<(BatchHeader, Event), WireError> {
    let opened = Opened::open(frame)?;
    let body = opened.body(proto::Layout::Event)?;
    census::check(&body)?;
    let event = Event::try_from(proto::Event::decode(&*body)?)?;
    Ok((opened.header, event))
}

fn assemble(header: &BatchHeader, layout: proto::Layout, body: &[u8]) -> Vec<u8> {
    let packed = if body.len() < COMPRESS_FROM {
        None
    } else {
        zip::compress(body)
    };
    let compression = match packed {
        Some(_) => proto::Compression::Zstd,
        None => proto::Compression::None,
    };
    let wire = header.to_proto(layout, compression, body.len());
    let body = packed.as_deref().unwrap_or(body);
    seal(MAGIC, &wire, body)
}

/// A frame taken apart and checked, its body still packed.
struct Opened<'a> {
    header: BatchHeader,
    layout: i32,
    compression: i32,
    body_length: usize,
    packed: &'a [u8],
}

impl<'a> Opened<'a> {
    fn open(frame: &'a [u8]) -> Result<Self, WireError> {
        let stranger = "this is not a frame: it does not begin with 'RF'";
        let (header, packed) = unseal(MAGIC, frame, stranger)?;
        let wire = proto::FrameHeader::decode(header)?;
        let header = BatchHeader::try_from(&wire)?;
        if header.stream == Stream::Data {
            WireError::check("length of a data frame", frame.len(), MAX_FRAME)?;
        }
        WireError::check("number of samples", header.samples as usize, MAX_SAMPLES)?;
        let body_length = wire.body_length as usize;
        WireError::check("length of a body", body_length, MAX_BODY)?;
        let (layout, compression) = (wire.layout, wire.compression);
        Ok(Self {
            header,
            layout,
            compression,
            body_length,
            packed,
        })
    }

    fn body(&self, wanted: proto::Layout) -> Result<Cow<'a, [u8]>, WireError> {
        let unknown = |what, code: i32| WireError::Unknown {
            what,
            code: i64::from(code),
        };
        let layout = proto::Layout::try_from(self.layout)
            .map_err(|_| unknown("layout of a body", self.layout))?;
        if layout != wanted {
            return Err(WireError::Malformed(
                "the frame belongs to the other stream",
            ));
        }
        match proto::Compression::try_from(self.compression) {
            Ok(proto::Compression::None) if self.packed.len() == self.body_length => {
                Ok(Cow::Borrowed(self.packed))
            }
            Ok(proto::Compression::None) => Err(WireError::Malformed(
                "the body is not as long as the header says",
            )),
            Ok(proto::Compression::Zstd) => {
                zip::decompress(self.packed, self.body_length).map(Cow::Owned)
            }
            Err(_) => Err(unknown("compression", self.compression)),
        }
    }
}
