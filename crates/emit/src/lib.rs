//! What Homeostat tells others: its own happenings as CloudEvents 1.0, with a CDEvent in each.
//!
//! * [`happening`] says what of an incident or an attempt is worth telling;
//! * [`cdevents`] gives it, and any event that was taken in, the form of CDEvents 0.5;
//! * [`cloudevent`] puts it into the envelope that is sent;
//! * [`sign`] signs it as Standard Webhooks does;
//! * [`schedule`] says when it is tried again, and when it is given up;
//! * [`delivery`] makes the request of it, and reads the answer.
//!
//! What this crate does not do: it opens no connection, keeps nothing and reads no clock.
//!
//! Invariants: what is told is made of the schema's own fields, never of a payload's free text, a
//! person's name or a request's body; the same happening has the same id however often it is told.

pub mod cdevents;
pub mod cloudevent;
pub mod delivery;
pub mod happening;
pub mod schedule;
pub mod sign;

mod purl;
