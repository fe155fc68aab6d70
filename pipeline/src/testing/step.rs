//! The rules of every step: the same name, version and fingerprint each time.

use super::breach::breach;
use crate::build::check_name;
use crate::{Error, Result, Step};

/// Checks two instances that were made alike.
pub(super) fn same_each_time<S: Step>(make: &impl Fn() -> S) -> Result<()> {
    let (one, other) = (make(), make());
    let name = one.name().to_string();
    if check_name(&name).is_err() {
        let cure =
            "use 1 to 64 letters, digits, `-` or `_`: it stands in plans, reports and the ledger";
        return Err(breach("name_unusable", format!("`{name}` cannot name a step"), cure));
    }
    if name != one.name() || name != other.name() {
        let names = format!("`{name}` and `{}`", other.name());
        return Err(changes("name_changes", &name, "name", &names));
    }
    if one.version() != other.version() {
        let versions = format!("{} and {}", one.version(), other.version());
        return Err(changes("version_changes", &name, "version", &versions));
    }
    let prints = [one.fingerprint(), one.fingerprint(), other.fingerprint()];
    if prints[0] != prints[1] || prints[0] != prints[2] {
        let prints = format!("{prints:?}");
        return Err(changes("fingerprint_changes", &name, "fingerprint", &prints));
    }
    Ok(())
}

fn changes(rule: &str, name: &str, what: &str, seen: &str) -> Error {
    let cure =
        "make it of the configuration only: what is asked for twice is compared from run to run";
    breach(rule, format!("`{name}` does not keep its {what}: {seen}"), cure)
}
