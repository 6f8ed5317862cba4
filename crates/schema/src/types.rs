//! The types generated from `wit/types.wit`.

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod generated {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "schema",
        additional_derives: [PartialEq],
        generate_all,
        generate_unused_types: true,
    });
}

pub use generated::homeostat::schema::types::*;
