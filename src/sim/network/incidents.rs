//! What went wrong behind the scenes in the story that this program comes from, until somebody mends it.

use std::collections::BTreeSet;

use crate::names::CheckName;

/// One thing that is wrong in the new environment, and in no other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Incident {
    /// An upstream does not answer under the hostname that the new environment uses.
    UpstreamSilent {
        /// The upstream's check.
        check: CheckName,
    },
    /// An upstream does not accept the credentials of the new environment.
    UpstreamRefuses {
        /// The upstream's check.
        check: CheckName,
    },
}

/// What is wrong now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Incidents(BTreeSet<Incident>);

impl Incidents {
    /// Something goes wrong.
    pub fn happen(&mut self, incident: Incident) {
        self.0.insert(incident);
    }

    /// Somebody mends it.
    pub fn mend(&mut self, incident: &Incident) {
        self.0.remove(incident);
    }

    /// Whether an upstream is silent.
    pub fn silences(&self, check: &CheckName) -> bool {
        self.0.contains(&Incident::UpstreamSilent { check: check.clone() })
    }

    /// Whether an upstream refuses its credentials.
    pub fn refuses(&self, check: &CheckName) -> bool {
        self.0.contains(&Incident::UpstreamRefuses { check: check.clone() })
    }
}
