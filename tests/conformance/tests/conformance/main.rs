//! The suite: see the README of this package.

mod grants;
mod http;
mod instances;
mod messages;
