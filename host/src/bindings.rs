//! Rust bindings of the interfaces this host offers, generated from `wit/`.
//!
//! Does not: implement any of them (see `factors`); the world is never instantiated as a whole, so
//! one module serves components with either export or both.

#![allow(missing_docs, unreachable_pub)]

wasmtime::component::bindgen!({
    path: "wit",
    world: "host",
    imports: { default: async | trappable },
    exports: { default: async },
    with: {
        "spin:key-value/key-value.store": crate::factors::kv::KeyValueStore,
        "spin:redis/redis.connection": crate::factors::redis::OutboundRedis,
    },
});

pub use exports::spin::redis::inbound_redis;
pub use spin::key_value::key_value;
pub use spin::redis::redis;
pub use spin::variables::variables;
