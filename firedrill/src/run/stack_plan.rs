//! What a stack is made of, said once for runs and for stacks that stay.

use std::path::{Path, PathBuf};
use std::time::Duration;

use firedrill_rulebook::{Compressed, FiredrillConfig, HarnessWiring};
use firedrill_stack::StackPlan;
use firedrill_verifier::Witness;

/// A stack that is not ready after so long is given up.
pub(crate) const START_DEADLINE: Duration = Duration::from_mins(1);

/// A configuration by its name, compressed, and what the harness has to know about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StackConfiguration<'a> {
    /// Its name, for the record.
    pub(crate) name: &'a str,
    /// The configuration, compressed.
    pub(crate) compressed: &'a Compressed,
    /// What `firedrill.yaml` says.
    pub(crate) firedrill: &'a FiredrillConfig,
}

/// The plan of a stack in `folder`, whose services are those of the program `services` and which tells `witness`.
pub(crate) fn stack_plan(
    configuration: StackConfiguration<'_>,
    services: &Path,
    folder: PathBuf,
    witness: &Witness,
) -> StackPlan {
    StackPlan {
        configuration: configuration.compressed.folder.clone(),
        configuration_name: configuration.name.to_owned(),
        flags: configuration.compressed.flags,
        harness: HarnessWiring {
            metrics_address: witness.address().to_string(),
            witness_url: format!("http://{}/witness", witness.address()),
        },
        services_environment: configuration.firedrill.service_environment.clone(),
        services_binary: services.to_owned(),
        folder,
        start_deadline: START_DEADLINE,
    }
}
