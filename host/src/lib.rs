//! Homeostat's embedded host and command line.
//!
//! Purpose: run the project's own `spin.toml` where Spin is not installed, with the same
//! components, and give the operator one binary.
//! Does not: implement all of Spin. What a manifest asks for beyond this is refused at start, by
//! name and line.
//! Invariant: components reach nothing but what the manifest grants them.

pub mod allowed_hosts;
pub mod app;
mod away;
mod bindings;
pub mod cli;
pub mod compose;
pub mod config_file;
pub mod durability;
pub mod engine;
pub mod factors;
pub mod faults;
pub mod manifest;
pub mod plug_in;
pub mod redis_server;
pub mod routes;
pub mod runtime_config;
pub mod state_dir;
pub mod stop;
mod telemetry;
pub mod template;
pub mod ticker;
pub mod trigger_http;
pub mod trigger_redis;
pub mod variables;
mod waiting_room;
