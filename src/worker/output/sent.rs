//! What a sink says of an item that it was offered.

/// What became of the item that is being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// All of it left.
    Whole,
    /// So many more bytes left; the rest is to be offered again when the sink can be written.
    Part(usize),
    /// The filters have it; to be offered again until it has left.
    InFilters,
}
