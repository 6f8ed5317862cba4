//! The embedded host's tests: its files and rules, and the whole of it with a real component on a
//! real redis-server. The component is `tests/guests/probe`, built by `cargo xtask components`.

mod command;
mod grants;
mod http;
mod manifest;
mod plug_in;
mod redis_trigger;
mod start;
mod support;
mod wit_copies;
