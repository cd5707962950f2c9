//! From a checked app to its units; pure.
