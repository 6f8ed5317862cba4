//! spin.
