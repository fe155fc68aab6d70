//! Offload: the protocol that commits a run's artifacts to an archive.

use super::archive::Tier;
use super::guard;
use super::parcel::{Parcel, Shipped};
use super::shipment::{Found, Shipment};
use crate::Result;

/// Ships a parcel: copy, prove, rename, commit by manifest. The source is never touched.
///
/// In order: the guard; a copy into `.tidemill/incoming` that hashes while it reads the source
/// once; fsync; reading back past the cache and comparing; the folder's rename to its final,
/// new name; fsync of its parents; the guard again; the manifest, written new and read again.
///
/// It may be called again after a crash or an error at any point. A run that is committed with
/// these same files is not written again (`already`), one that lacks only its manifest gets it,
/// anything else under its name is set aside in the archive's trash.
///
/// `beat` is called before every step and every buffer of 1 MiB: a heartbeat for whoever watches
/// a disk that hangs.
///
/// # Errors
/// *Wait* when the archive is away, foreign, full, read-only or failing; *halt* when the parcel
/// cannot be shipped at all (`bad_parcel`, `source_missing`) or when a committed run of this name
/// has other content (`committed_differs`).
pub fn ship(tier: &Tier, parcel: &Parcel, beat: &dyn Fn()) -> Result<Shipped> {
    try_ship(tier, parcel, beat).or_else(|error| {
        // A disk that went away is the reason behind whatever failed after it.
        guard::recheck(tier)?;
        Err(error)
    })
}

fn try_ship(tier: &Tier, parcel: &Parcel, beat: &dyn Fn()) -> Result<Shipped> {
    beat();
    guard::recheck(tier)?;
    let bytes = parcel.check()?;
    let shipment = Shipment::new(tier, parcel, beat);
    shipment.clear_incoming()?;
    match shipment.found()? {
        Found::Committed(manifest) => return shipment.confirm(*manifest),
        Found::Uncommitted => {
            if let Some(artifacts) = shipment.adoptable()? {
                return shipment.commit(artifacts);
            }
            shipment.set_aside()?;
        }
        Found::Nothing => {}
    }
    guard::room(&tier.root, bytes)?;
    let artifacts = shipment.build().or_else(|error| {
        // A full disk gets its room back at once; other leftovers are cleared by the next try.
        if error.reason() == "disk_full" {
            shipment.clear_incoming()?;
        }
        Err(error)
    })?;
    shipment.place()?;
    shipment.commit(artifacts)
}
