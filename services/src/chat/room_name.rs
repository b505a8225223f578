//! Which names a room and a member may have.

use crate::error::ApiError;

/// 1 to 64 letters, digits or any of `. _ -`: a name is part of a Redis channel.
pub(super) fn check(what: &str, name: &str) -> Result<(), ApiError> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    if (1..=64).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(ApiError::invalid(format!("{what} must be 1 to 64 letters, digits or any of . _ -")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        for name in ["a", "room-1", "A.b_c", &"x".repeat(64)] {
            assert!(check("room", name).is_ok(), "{name}");
        }
        for name in ["", "a b", "a:b", "a*", "é", &"x".repeat(65)] {
            assert!(check("room", name).is_err(), "{name}");
        }
    }
}
