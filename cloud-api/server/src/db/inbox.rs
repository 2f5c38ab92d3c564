//! What the writer keeps in memory between transactions, so that a batch costs no look-ups. Owns
//! the rule that memory never runs ahead of the disk: after any failure it is forgotten and read
//! again.

/// The writer's memory.
#[derive(Debug, Default)]
pub(super) struct Inbox {}

impl Inbox {
    /// A transaction was committed.
    pub(super) fn committed(&mut self) {}

    /// Something was rolled back.
    pub(super) fn forget(&mut self) {}
}
