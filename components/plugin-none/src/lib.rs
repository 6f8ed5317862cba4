//! plugin-none: stands where a plug-in goes, so that an app without one is whole.
//!
//! What this does not do: read anything. A delivery it is asked about is kept as a dead letter.

#[allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, clippy::pedantic)]
mod generated {
    use super::NoPlugIn;

    wit_bindgen::generate!({ path: "../../wit", world: "source-plug-in" });
    export!(NoPlugIn);
}

use generated::exports::homeostat::schema::source::{Delivery, Guest, Reading};

/// Reads nothing.
struct NoPlugIn;

impl Guest for NoPlugIn {
    fn read(_: Delivery) -> Result<Reading, String> {
        Err("no plug-in is installed; docs/plug-ins.md says how to".to_owned())
    }
}
