//! Host calls of a guest, under the faults of its component if it has any.

use std::sync::Arc;

use wasmtime::component::Accessor;

use super::{Fate, Faults, Seen};
use crate::engine::HostData;

/// The faults of the calling component and its id; `None` outside of tests.
pub(crate) fn of<T: Send>(accessor: &Accessor<T, HostData>) -> Option<(Faults, Arc<str>)> {
    accessor.with(|mut access| {
        let component = access.get().component;
        Some((component.faults.clone()?, Arc::clone(&component.id)))
    })
}

/// Carries out a call that is neither Redis nor HTTP; `None` when it is to fail.
///
/// # Errors
/// When the instance must end.
pub(crate) async fn call<T: Send, R>(
    accessor: &Accessor<T, HostData>,
    work: impl Future<Output = R>,
) -> wasmtime::Result<Option<R>> {
    let Some((faults, component)) = of(accessor) else { return Ok(Some(work.await)) };
    Ok(match faults.around(&component, Seen::Other, work).await? {
        Fate::Done(result) => Some(result),
        Fate::Failed | Fate::Lost => None,
    })
}
