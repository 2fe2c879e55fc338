//! Reasons of conditions, waits and holds: the words that a status uses, and what to make of each.

/// Every reason with its meaning. A test holds the list to what the program says.
pub const REASONS: &[(&str, &str)] = &[
    // Conditions.
    ("Accepted", "The newest spec is in force."),
    ("AsWished", "It is as this rung asks."),
    ("AwaitingPromotion", "What was asked for is reached; the next phase may be asked for."),
    ("CommitRefused", "The newest commit of the branch is not taken, so that the last good spec holds."),
    ("Differs", "Rows differ. `bascule parity FILE` names them."),
    ("Elsewhere", "The public name points at the other side than this rung asks."),
    ("Equal", "The newest comparison found no difference."),
    ("Failing", "A declared check fails and is not waived."),
    ("Finished", "The migration is over."),
    ("Forced", "A rollback that loses writes to legacy is under way, or done."),
    ("ForcedReady", "A rollback that loses writes to legacy would begin as soon as RolledBack is asked for."),
    ("Held", "What was asked for is reached, and a person has to look at something."),
    ("Lagging", "Replication is behind by more than the spec accepts."),
    ("Moving", "A fence is being closed or opened."),
    ("NeedsOperator", "Waiting will not help: a person has to do something."),
    ("NoFence", "No fence is to hold at this rung."),
    ("NoHeartbeat", "No row of the controller's own has crossed lately, so that the lag is not known."),
    ("NoStream", "No rows are meant to flow at this rung."),
    ("NoneDeclared", "The spec declares no check."),
    ("NotAllCompared", "Some tables could not be compared; a comparison that is not whole opens nothing."),
    ("NotAllKnown", "A check could not be made; unknown is not passed."),
    ("NotClosed", "A fence that is to hold is not closed."),
    ("NotCompared", "Rows have not been compared yet."),
    ("NotReached", "What was asked for is not reached yet."),
    ("NotReady", "A rollback could not begin now and lose nothing."),
    ("ObserveOnly", "The journal cannot be read or written: nothing is changed, everything is reported."),
    ("OnTheWay", "What was asked for is not reached yet."),
    ("Passing", "Every declared check passed its newest run."),
    ("PassingOrWaived", "Checks pass, apart from those that somebody has waived by name."),
    ("PhaseReached", "The next phase may be asked for."),
    ("Progressing", "Work is under way, and nothing needs a person."),
    ("Proven", "Every part of the receipt of a closed fence was seen."),
    ("ProvenInPart", "The fence is closed, and a part of its receipt was not seen; the message says which."),
    ("Ready", "It holds."),
    ("RecordAbsent", "The public name has no record."),
    ("Refused", "It was refused, and repeating it will not help: the message says by whom and why."),
    ("Settled", "Everything is as wished."),
    ("SourceUnread", "The branch could not be read, so that nobody knows whether there is something newer."),
    ("Stalled", "Held until a person has looked."),
    ("Unreadable", "It could not be read, so that nothing is concluded from it."),
    ("WithinMaxLag", "A row of the controller's own crossed within the lag that the spec accepts."),
    ("Writable", "Facts are durable."),
    // Waits: time will help.
    ("AwaitingMaintenanceWindow", "The writer is rebooted inside the maintenance window only, and the next one is awaited."),
    ("BinlogNotInEffect", "The writer has the parameters, and SQL does not see them yet."),
    ("BinlogUnknown", "Nothing is known of the target's binary log now."),
    ("ChangePending", "Route 53 is bringing a change to all its servers."),
    ("ClusterNotAvailable", "RDS is at work on the cluster."),
    ("ComparisonUnderWay", "Both sides' rows are being compared."),
    ("ComparisonWaitsForLag", "Rows are compared once a fresh heartbeat has crossed."),
    ("ComparisonWaitsForReplication", "Rows are compared once replication is healthy."),
    ("ConnectionFailed", "DMS's test of an endpoint failed, and is made again."),
    ("ConnectionTesting", "DMS is testing an endpoint."),
    ("ConnectionUnknown", "Nothing is known of DMS's test of an endpoint now."),
    ("DatabaseRefuses", "A database answers, and refuses."),
    ("DatabaseUnknown", "A database could not be looked at, so that nothing is changed there."),
    ("ErroredTablesUnknown", "Nothing is known of the tables' states now."),
    ("ExportFailed", "The export of a forced rollback failed, and is tried again."),
    ("ExportUnderWay", "The rows that legacy lacks are being saved; both sides stay closed."),
    ("ExportWaitsForFences", "Rows are saved once both sides are closed and no stream runs."),
    ("ListenerUnknown", "Nothing is known of the listener now."),
    ("MarkerTravelling", "A row that proves the drain was written, and has not arrived yet."),
    ("NextComparison", "The next comparison of rows is due later."),
    ("NumbersUnknown", "The numbers of new rows are compared once both sides are closed and answer."),
    ("OpenTransactions", "Transactions that began before the fence are still open."),
    ("ParameterGroupApplying", "RDS is applying the parameter group."),
    ("Paused", "spec.paused is true: nothing is changed."),
    ("PublicRecordUnknown", "The public record could not be read, so that it is left alone."),
    ("ReverseRests", "The reverse task did not stay up, and is resumed again later."),
    ("RollbackWaitsForHeartbeat", "The rollback begins as soon as a fresh heartbeat has crossed to legacy."),
    ("SettingsUnknown", "The settings of a task could not be read, so that it is not started."),
    ("ShadowRecordUnknown", "The shadow record could not be read, so that it is left alone."),
    ("TaskMoving", "DMS is changing the state of a task."),
    ("TaskUnknown", "A task could not be read, so that it is left alone."),
    ("WriterNotAvailable", "RDS is at work on the writer."),
    ("WriterUnknown", "No single member of the cluster says that it is the writer."),
    // Holds: a person has to do something.
    ("AccountsMissing", "An account that a fence has to close does not exist."),
    ("AttemptLatched", "This attempt was aborted or rolled back, and is never tried again: raise spec.attempt."),
    ("AttemptLowered", "The spec names an attempt that is over: it may be an old file."),
    ("AttemptUnderWay", "spec.attempt was raised while an attempt is under way: raise it after an abort or a rollback."),
    ("BinlogCompressed", "The binary log is compressed, which DMS cannot read."),
    ("BinlogDrifted", "The binary log is no longer as the way back needs it."),
    ("CanaryLetIn", "A canary could log in or write at an endpoint, though the fence is closed."),
    ("CarelessTask", "A task is there already with other settings, and is not started."),
    ("CheckFails", "A check keeps failing, and a gate waits for it."),
    ("ClusterMissing", "The target cluster does not exist."),
    ("DefaultParameterGroup", "The parameter group is one of RDS's own, which cannot be changed."),
    ("ForeignFlip", "Somebody else has moved the public name to the other side."),
    ("ForeignListener", "The redirect's port has a listener that does something else."),
    ("ForeignRecord", "The public record is none that the spec declares; it is not overwritten."),
    ("ForeignShadowRecord", "The shadow record is none that the spec declares; it is not overwritten."),
    ("ForeignTask", "A task of this name leads between other endpoints."),
    ("HookFails", "A hook that is waited for does not take its call."),
    ("LockedBySomebodyElse", "An account is locked, and not by this fence, so that opening would not let it in."),
    ("MovedBack", "The public name was switched, and somebody has moved it back."),
    ("NoStartPosition", "A task is to start and no position is recorded for it."),
    ("NothingToRollBack", "The target has never taken a write in this attempt: ask for an earlier phase instead."),
    ("ParameterGroupFailed", "RDS failed to apply the parameter group."),
    ("ParameterGroupShared", "The parameter group belongs to other clusters as well."),
    ("PastNoReturn", "The point of no return is passed: only CutOver, Completed or RolledBack can be asked for."),
    ("PublicRecordMissing", "The public name has no record."),
    (
        "ReverseReplicationDead",
        "Reverse replication does not stay up or brings nothing: without it a rollback would lose writes.",
    ),
    ("RollbackAbandoned", "A rollback was given up: ask for CutOver, mend what held it up, ask for RolledBack again."),
    ("RollbackGivenUp", "The migration is completed and its way back is retired."),
    ("RollbackNotReady", "A rollback would lose writes, so that it does not begin."),
    ("RowImageNotFull", "The binary log does not hold whole rows."),
    ("SpecMustChange", "A service says that what the spec asks for cannot be."),
    ("TableErrors", "Tables are in error, and reloading them is not allowed or did not help."),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                sources(&path, into);
            } else {
                into.push(path);
            }
        }
    }

    fn said() -> String {
        let (mut files, root) = (Vec::new(), Path::new(env!("CARGO_MANIFEST_DIR")));
        ["src/migration", "src/controllers", "src/engine"].iter().for_each(|folder| sources(&root.join(folder), &mut files));
        files.iter().map(|file| fs::read_to_string(file).expect("text")).collect()
    }

    #[test]
    fn every_reason_that_is_explained_is_given_somewhere() {
        let said = said();
        let unused: Vec<&str> =
            REASONS.iter().map(|(reason, _)| *reason).filter(|reason| !said.contains(&format!("\"{reason}\""))).collect();
        assert_eq!(unused, [""; 0]);
    }

    #[test]
    fn every_wait_and_every_hold_is_explained() {
        let known: BTreeSet<&str> = REASONS.iter().map(|(reason, _)| *reason).collect();
        let given = regex::Regex::new(r#"(?:Wait::new|Wait::until|Block::new)\(\s*"(\w+)""#).expect("a pattern");
        let said = said();
        let given: BTreeSet<&str> = given.captures_iter(&said).filter_map(|it| it.get(1)).map(|it| it.as_str()).collect();
        assert!(given.len() > 40, "the sources were not understood: {given:?}");
        let unexplained: Vec<_> = given.difference(&known).collect();
        assert_eq!(unexplained, [&""; 0]);
    }

    #[test]
    fn no_reason_is_explained_twice() {
        let known: BTreeSet<&str> = REASONS.iter().map(|(reason, _)| *reason).collect();
        assert_eq!(known.len(), REASONS.len());
    }
}
