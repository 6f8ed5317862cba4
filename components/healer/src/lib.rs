//! healer.
