//! What happened, written down: recorder (bounded) -> store -> report.
//!
//! | module | what it is |
//! |---|---|
//! | `recorder` | takes events from anywhere and never waits |
//! | `store` | the database in the data folder and the one thread that writes it |
//! | `report` | what was stored, for a person or a program |

pub(crate) mod recorder;
pub(crate) mod report;
pub(crate) mod store;
