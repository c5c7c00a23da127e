use model::{
    RevisionId, VersionId,
    function::{LastUpdate, Reason, State},
    mutation::{Changed, Rejection},
};

use super::Step;

impl Step<'_> {
    /// Ends a creation or update. A version that has moved on meanwhile is left alone: its own end will come.
    pub(super) fn settle(
        &mut self,
        id: &VersionId,
        revision: RevisionId,
        failure: Option<&Reason>,
    ) -> Result<Changed, Rejection> {
        let Some(version) = self
            .catalog
            .version(id)
            .filter(|v| v.revision_id == revision)
        else {
            return Ok(Changed::Nothing);
        };
        let mut version = (**version).clone();
        let creating = version.state == State::Pending;
        if !creating && version.last_update != Some(LastUpdate::InProgress) {
            return Ok(Changed::Nothing);
        }
        match failure {
            None => {
                version.state = State::Active;
                version.last_update = Some(LastUpdate::Successful);
            }
            Some(reason) if creating => version.state = State::Failed(reason.clone()),
            Some(reason) => version.last_update = Some(LastUpdate::Failed(reason.clone())),
        }
        version.revision_id = self.new_revision_id();
        version.touched = None;
        Ok(Changed::Version(self.put_version(version)))
    }
}
