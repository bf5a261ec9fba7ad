//! The parts that operations are made of: each says what it is and how it changes, in steps of a
//! transaction.

pub mod channel;
pub mod clock;
pub mod event;
pub mod expiry_queues;
pub mod index;
pub mod limits;
pub mod mailbox;
pub mod message;
pub mod parts;
pub mod stamp;
pub mod trash;
