//! policy-updater.
