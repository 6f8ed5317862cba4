//! The suite: see the README of this package.

mod bodies;
mod failures;
mod grants;
mod http;
mod instances;
mod messages;
mod outbound;
mod redis;
mod stores;
mod target;
mod variables;
mod wire;
