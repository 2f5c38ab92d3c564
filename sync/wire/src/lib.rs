//! The only format on the link: protobuf envelopes, columnar sample batches, topics.
