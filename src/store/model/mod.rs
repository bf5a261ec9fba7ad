//! The parts that operations are made of: each says what it is and how it changes, in steps of a
//! transaction.

pub mod channel;
pub mod channel_end;
pub mod clock;
pub mod counts;
pub mod event;
pub mod expiry_queues;
pub mod history;
pub mod index;
pub mod limits;
pub mod mailbox;
pub mod message;
pub mod missed;
pub mod node;
pub mod noted_event;
pub mod parts;
pub mod references;
pub mod stamp;
pub mod trash;
