//! What a source's plug-in is told and what it answers, generated from `wit/source.wit`.
//!
//! What this does not do: check what it answers; [`crate::wire::flat::read_typed`] does.
//!
//! Invariant: [`read`] is called by the component that a plug-in is composed with, and by nothing
//! else; natively there is no plug-in to call.

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod generated {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "source-host",
        additional_derives: [PartialEq],
    });
}

pub use generated::homeostat::schema::source::{Body, Delivery, Draft, Reading, Signal, read};
