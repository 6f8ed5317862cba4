//! Telling everything to stop, once.
//!
//! Invariant: once stopped, it stays stopped, and every wait ends.

use tokio::sync::watch;

/// The side that says stop.
pub struct Stopper(watch::Sender<bool>);

/// The side that is told; cheap to clone.
#[derive(Clone)]
pub struct Stop(watch::Receiver<bool>);

/// A fresh pair. Dropping the [`Stopper`] stops as well.
pub fn channel() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Says stop.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Waits until told to stop.
    pub async fn wait(&mut self) {
        // An error means that the sender is gone, which is a stop too.
        let _told_or_gone = self.0.wait_for(|stop| *stop).await.is_ok();
    }

    /// Whether it was told to stop.
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }
}
