//! What belongs to which run, and where it ends up.
