//! `spin:variables`: the component's own variables.
//!
//! Does not: look up anything at call time; values are resolved once, at start.

use wasmtime::component::Accessor;

use crate::bindings::variables::{Error, Host, HostWithStore};
use crate::engine::{HostData, HostView};
use crate::faults::guest;
use crate::template::is_variable_name;

impl Host for HostView<'_> {}

impl<T: Send> HostWithStore<T> for HostData {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> wasmtime::Result<Result<String, Error>> {
        if !is_variable_name(&name) {
            return Ok(Err(Error::InvalidName(name)));
        }
        let value =
            async { accessor.with(|mut access| access.get().component.variables.get(&name).cloned()) };
        let value = guest::call(accessor, value).await?.flatten();
        Ok(value.ok_or(Error::Undefined(name)))
    }
}
