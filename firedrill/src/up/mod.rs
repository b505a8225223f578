//! A stack that stays: `owner` holds it, in the background when `detached` starts it; `announcement` is the file in its
//! run folder by which `standing` finds it again; `table` shows its parts. Nothing here drills or judges.

mod announcement;
mod detached;
mod owner;
mod standing;
mod table;

pub(crate) use detached::detach;
pub(crate) use owner::own;
pub(crate) use standing::{Standing, standing};
pub(crate) use table::{addresses, states};
