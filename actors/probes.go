package actors

import "orrery"

// Probe marks that a run came by a rare place. It is emitted there.
type Probe string

// The rare places of this package, by the actor that comes by.
const (
	ProbeDecisionRefused   Probe = "scheduler-decision-refused"
	ProbeDecisionUnknown   Probe = "scheduler-decision-unknown"
	ProbeDecisionIgnored   Probe = "scheduler-decision-ignored"
	ProbeMisfire           Probe = "scheduler-misfire"
	ProbeCatchUp           Probe = "scheduler-catch-up"
	ProbeWokeLate          Probe = "scheduler-woke-late"
	ProbePausedWithDues    Probe = "scheduler-paused-with-dues"
	ProbeClockBarredDues   Probe = "scheduler-clock-barred-dues"
	ProbeTookOverOverdue   Probe = "scheduler-took-over-overdue"
	ProbePageOfDuesFull    Probe = "scheduler-page-full"
	ProbeTimerToldAgain    Probe = "scheduler-timer-told-again"
	ProbeDeadlinePassed    Probe = "scheduler-deadline-passed"
	ProbeAcrossClockChange Probe = "scheduler-across-clock-change"

	ProbeFireHeldBack     Probe = "dispatcher-fire-held-back"
	ProbeMemberSilent     Probe = "dispatcher-member-silent"
	ProbeMemberDeaf       Probe = "dispatcher-member-deaf"
	ProbeMemberRestarted  Probe = "dispatcher-member-restarted"
	ProbeAttemptRepeated  Probe = "dispatcher-attempt-repeated"
	ProbeAttemptRefused   Probe = "dispatcher-attempt-refused"
	ProbeResultLate       Probe = "dispatcher-result-late"
	ProbeResultAgain      Probe = "dispatcher-result-again"
	ProbeAssignAgain      Probe = "dispatcher-assign-again"
	ProbeLossUnknown      Probe = "dispatcher-loss-unknown"
	ProbeStray            Probe = "dispatcher-stray"
	ProbeNoRoom           Probe = "dispatcher-no-room"
	ProbeCheckOverdue     Probe = "dispatcher-check-overdue"
	ProbeCheckFailed      Probe = "dispatcher-check-failed"
	ProbeTickLate         Probe = "dispatcher-tick-late"
	ProbeClockOff         Probe = "dispatcher-clock-off"
	ProbeRestartableAfter Probe = "dispatcher-restartable-edited"

	ProbeDecisionTaken Probe = "chain-decision-taken"
	ProbeTriggerLost   Probe = "chain-trigger-lost"
	ProbeOutboxFull    Probe = "chain-outbox-full"
	ProbeChainStalled  Probe = "chain-stalled"
	ProbeOutboxLeft    Probe = "chain-outbox-left"
	ProbeJoinDecided   Probe = "chain-join-decided"

	ProbeTermPassed     Probe = "proposer-term-passed"
	ProbeQueueFull      Probe = "proposer-queue-full"
	ProbeBatchSplit     Probe = "proposer-batch-split"
	ProbeFlightsFull    Probe = "proposer-flights-full"
	ProbeOutcomeUnknown Probe = "proposer-outcome-unknown"
	ProbeEntryOverdue   Probe = "proposer-entry-overdue"
	ProbeLandedLate     Probe = "proposer-landed-late"
	ProbeQueueDropped   Probe = "proposer-queue-dropped"
	ProbeEditBesideFire Probe = "proposer-edit-beside-fire"
	ProbeFoundDone      Probe = "proposer-found-done"

	ProbeForwardedAgain    Probe = "gateway-forwarded-again"
	ProbeParked            Probe = "gateway-parked"
	ProbeTurnedAway        Probe = "gateway-turned-away"
	ProbeSendingDoubled    Probe = "gateway-sending-doubled"
	ProbeReplyLate         Probe = "gateway-reply-late"
	ProbeReadUnverified    Probe = "gateway-read-unverified"
	ProbeReadCheckOverdue  Probe = "gateway-read-check-overdue"
	ProbeWriteRefused      Probe = "gateway-write-refused"
	ProbeWriteThwarted     Probe = "gateway-write-thwarted"
	ProbeWriteUnknown      Probe = "gateway-write-unknown"
	ProbeTermPassedReading Probe = "gateway-term-passed-reading"
	ProbeEditSettled       Probe = "gateway-edit-settled"

	ProbeSnapshotSpannedEntries Probe = "store-snapshot-spanned-entries"
	ProbeSnapshotDropped        Probe = "store-snapshot-dropped"
	ProbeStateReplaced          Probe = "store-state-replaced"
	ProbeEntryOfOtherTerm       Probe = "store-entry-of-other-term"
	ProbeEntryOfFormerLife      Probe = "store-entry-of-former-life"
	ProbeGainedBeforeLost       Probe = "store-gained-before-lost"

	ProbeStartWithoutLease  Probe = "executor-start-without-lease"
	ProbeLeaseOverInNoting  Probe = "executor-lease-over-in-noting"
	ProbeCancelBeforeRun    Probe = "executor-cancel-before-run"
	ProbeForeignIncarnation Probe = "executor-foreign-incarnation"
	ProbeProcessFound       Probe = "executor-process-found"
	ProbeNeverStarted       Probe = "executor-noted-but-not-started"
	ProbeResultRepeated     Probe = "executor-result-repeated"
	ProbeToldToRunAgain     Probe = "executor-told-again"
	ProbeFenceOver          Probe = "executor-fence-over"
	ProbeNoteFailed         Probe = "executor-note-failed"
	ProbeNoteUnreadable     Probe = "executor-note-unreadable"
	ProbeGrantOvertaken     Probe = "executor-grant-overtaken"
	ProbeFloorPassedNote    Probe = "executor-floor-passed-note"

	ProbeOldIncarnation     Probe = "roster-old-incarnation"
	ProbeRestartUnannounced Probe = "roster-restart-unannounced"
	ProbeMemberLeft         Probe = "roster-member-left"
	ProbeCameBack           Probe = "roster-came-back"
	ProbeTagsForgotten      Probe = "roster-tags-forgotten"
	ProbeDoubted            Probe = "roster-doubted"
	ProbeOldLeader          Probe = "roster-old-leader"

	ProbeForgot       Probe = "janitor-forgot"
	ProbeMoreToForget Probe = "janitor-more-to-forget"
	ProbeForgetLost   Probe = "janitor-forget-lost"
	ProbeJobExpired   Probe = "janitor-job-expired"

	ProbeNoticeSilent Probe = "notifier-no-answer"
	ProbeNoticeFailed Probe = "notifier-failed"
	ProbeNoticesFull  Probe = "notifier-full"
	ProbeDrainLost    Probe = "notifier-drain-lost"
	ProbeNoticesLeft  Probe = "notifier-left-over"
)

// Probes lists every probe that an actor of this package emits.
var Probes = orrery.Probes{
	{Name: string(ProbeDecisionRefused), Component: "Scheduler", Marks: "a decision was refused and is made again"},
	{Name: string(ProbeDecisionUnknown), Component: "Scheduler", Marks: "nobody knows what became of a decision: it is made again"},
	{Name: string(ProbeDecisionIgnored), Component: "Scheduler", Marks: "a decision was applied and the head stands where it stood"},
	{Name: string(ProbeMisfire), Component: "Scheduler", Marks: "due times had passed for too long and were skipped"},
	{Name: string(ProbeCatchUp), Component: "Scheduler", Marks: "a due time that had passed is fired late"},
	{Name: string(ProbeWokeLate), Component: "Scheduler", Marks: "the timer came late: the leader was paused"},
	{Name: string(ProbePausedWithDues), Component: "Scheduler", Marks: "jobs are due while the scheduler is paused"},
	{Name: string(ProbeClockBarredDues), Component: "Scheduler", Marks: "jobs are due while the leader's clock is not trusted"},
	{Name: string(ProbeTookOverOverdue), Component: "Scheduler", Marks: "a new leader finds jobs that its predecessor should have fired"},
	{Name: string(ProbePageOfDuesFull), Component: "Scheduler", Marks: "more is due at once than one entry decides"},
	{Name: string(ProbeTimerToldAgain), Component: "Scheduler", Marks: "what a timer of the state asks for was not decided in time and is asked again"},
	{Name: string(ProbeDeadlinePassed), Component: "Scheduler", Marks: "an execution was too late to start, or took too long"},
	{Name: string(ProbeAcrossClockChange), Component: "Scheduler", Marks: "between a due time and the next the clocks of the zone were changed"},

	{Name: string(ProbeFireHeldBack), Component: "Dispatcher", Marks: "a due time was fired before the sessions were collected"},
	{Name: string(ProbeMemberSilent), Component: "Dispatcher", Marks: "a member was silent for lost_after, and an attempt of it is given up"},
	{Name: string(ProbeMemberDeaf), Component: "Dispatcher", Marks: "a member is heard and does not hear"},
	{Name: string(ProbeMemberRestarted), Component: "Dispatcher", Marks: "a member came back and knows nothing of an attempt"},
	{Name: string(ProbeAttemptRepeated), Component: "Dispatcher", Marks: "an order to run brought no answer and is repeated"},
	{Name: string(ProbeAttemptRefused), Component: "Dispatcher", Marks: "a member refuses an attempt"},
	{Name: string(ProbeResultLate), Component: "Dispatcher", Marks: "a result came of an attempt that is not current"},
	{Name: string(ProbeResultAgain), Component: "Dispatcher", Marks: "a Finish was not taken, or nobody knows, and is proposed again"},
	{Name: string(ProbeAssignAgain), Component: "Dispatcher", Marks: "an Assign was not taken, or nobody knows, and members are chosen again"},
	{Name: string(ProbeLossUnknown), Component: "Dispatcher", Marks: "nobody knows whether an attempt was given up: there is no way back"},
	{Name: string(ProbeStray), Component: "Dispatcher", Marks: "a member runs what the state has given up"},
	{Name: string(ProbeNoRoom), Component: "Dispatcher", Marks: "an execution waits for a member"},
	{Name: string(ProbeCheckOverdue), Component: "Dispatcher", Marks: "a quorum check was never answered"},
	{Name: string(ProbeCheckFailed), Component: "Dispatcher", Marks: "a quorum check failed, and leases are not renewed"},
	{Name: string(ProbeTickLate), Component: "Dispatcher", Marks: "the tick came late: the leader was paused"},
	{Name: string(ProbeClockOff), Component: "Dispatcher", Marks: "the leader's clock is off the median of the servers"},
	{Name: string(ProbeRestartableAfter), Component: "Dispatcher", Marks: "an edit changed whether the lease ends a running attempt"},

	{Name: string(ProbeDecisionTaken), Component: "Chain", Marks: "the row of a chain decision was gone when its Trigger came"},
	{Name: string(ProbeTriggerLost), Component: "Chain", Marks: "a Trigger was refused, or nobody knows what became of it"},
	{Name: string(ProbeOutboxFull), Component: "Chain", Marks: "more chain decisions wait than one round takes"},
	{Name: string(ProbeChainStalled), Component: "Chain", Marks: "a round of Triggers changed nothing"},
	{Name: string(ProbeOutboxLeft), Component: "Chain", Marks: "a new leader finds chain decisions that its predecessor left"},
	{Name: string(ProbeJoinDecided), Component: "Chain", Marks: "a child of several parents is decided"},

	{Name: string(ProbeTermPassed), Component: "Proposer", Marks: "a command was computed under a leadership that is over"},
	{Name: string(ProbeQueueFull), Component: "Proposer", Marks: "a command was refused because too many wait"},
	{Name: string(ProbeBatchSplit), Component: "Proposer", Marks: "what waits is more than one entry holds"},
	{Name: string(ProbeFlightsFull), Component: "Proposer", Marks: "a command waits because all flights are taken"},
	{Name: string(ProbeOutcomeUnknown), Component: "Proposer", Marks: "nobody knows whether an entry will be committed"},
	{Name: string(ProbeEntryOverdue), Component: "Proposer", Marks: "an entry did not come out of the log in time"},
	{Name: string(ProbeLandedLate), Component: "Proposer", Marks: "an entry came out of the log after its fate was told"},
	{Name: string(ProbeQueueDropped), Component: "Proposer", Marks: "leadership was lost while commands waited for a flight"},
	{Name: string(ProbeEditBesideFire), Component: "Proposer", Marks: "one entry fires due times and edits a job"},
	{Name: string(ProbeFoundDone), Component: "Proposer", Marks: "a request that came again is answered from memory"},

	{Name: string(ProbeForwardedAgain), Component: "Gateway", Marks: "a request is sent to a leader again"},
	{Name: string(ProbeParked), Component: "Gateway", Marks: "a request waits because nobody is known to lead"},
	{Name: string(ProbeTurnedAway), Component: "Gateway", Marks: "a request was passed on to a member that does not lead"},
	{Name: string(ProbeSendingDoubled), Component: "Gateway", Marks: "a request came twice over the network"},
	{Name: string(ProbeReplyLate), Component: "Gateway", Marks: "an answer came when nobody waited for it"},
	{Name: string(ProbeReadUnverified), Component: "Gateway", Marks: "the leader could not make sure that it leads"},
	{Name: string(ProbeReadCheckOverdue), Component: "Gateway", Marks: "a read waits for a quorum check that was not answered"},
	{Name: string(ProbeWriteRefused), Component: "Gateway", Marks: "a write was refused because the job has another version"},
	{Name: string(ProbeWriteThwarted), Component: "Gateway", Marks: "a job changed while its write was on the way"},
	{Name: string(ProbeWriteUnknown), Component: "Gateway", Marks: "a client is told that its write may have happened"},
	{Name: string(ProbeTermPassedReading), Component: "Gateway", Marks: "leadership changed while a job was read for its write"},
	{Name: string(ProbeEditSettled), Component: "Gateway", Marks: "an edit decides due times that the scheduler had not come to"},

	{Name: string(ProbeSnapshotSpannedEntries), Component: "Store", Marks: "an entry is applied while a snapshot is being read"},
	{Name: string(ProbeSnapshotDropped), Component: "Store", Marks: "a snapshot is given up for another, or for a restore"},
	{Name: string(ProbeStateReplaced), Component: "Store", Marks: "a snapshot replaces a state that had entries applied"},
	{Name: string(ProbeEntryOfOtherTerm), Component: "Store", Marks: "an entry is committed in another term than it was computed under"},
	{Name: string(ProbeEntryOfFormerLife), Component: "Store", Marks: "an entry comes out of the log that an earlier life of this agent proposed"},
	{Name: string(ProbeGainedBeforeLost), Component: "Store", Marks: "a leadership is gained before the loss of the one before was told"},

	{Name: string(ProbeStartWithoutLease), Component: "Executor", Marks: "an attempt is to start while the lease has run out"},
	{Name: string(ProbeLeaseOverInNoting), Component: "Executor", Marks: "the lease ran out while the disk wrote that an attempt starts"},
	{Name: string(ProbeCancelBeforeRun), Component: "Executor", Marks: "a cancel overtook its attempt"},
	{Name: string(ProbeForeignIncarnation), Component: "Executor", Marks: "told to start what the agent before was meant to"},
	{Name: string(ProbeProcessFound), Component: "Executor", Marks: "a process outlived its agent"},
	{Name: string(ProbeNeverStarted), Component: "Executor", Marks: "a note outlived the machine, its process did not, or never was"},
	{Name: string(ProbeResultRepeated), Component: "Executor", Marks: "a result is told again: it was not acknowledged"},
	{Name: string(ProbeToldToRunAgain), Component: "Executor", Marks: "told to start what runs, or has ended"},
	{Name: string(ProbeFenceOver), Component: "Executor", Marks: "told to start or cancel what was over long ago"},
	{Name: string(ProbeNoteFailed), Component: "Executor", Marks: "the disk could not note an attempt, which is barred for it"},
	{Name: string(ProbeNoteUnreadable), Component: "Executor", Marks: "a note on the disk cannot be read"},
	{Name: string(ProbeGrantOvertaken), Component: "Executor", Marks: "a grant came after one for a later heartbeat"},
	{Name: string(ProbeFloorPassedNote), Component: "Executor", Marks: "the leader has given up what was noted and never started"},

	{Name: string(ProbeOldIncarnation), Component: "Roster", Marks: "news of a former life of a member came after those of a later one"},
	{Name: string(ProbeRestartUnannounced), Component: "Roster", Marks: "a member is there under a new incarnation, and nobody had missed the former"},
	{Name: string(ProbeMemberLeft), Component: "Roster", Marks: "a member said goodbye"},
	{Name: string(ProbeCameBack), Component: "Roster", Marks: "a member that had left is there again"},
	{Name: string(ProbeTagsForgotten), Component: "Roster", Marks: "the gossip forgot the tags of a member"},
	{Name: string(ProbeDoubted), Component: "Roster", Marks: "others call this member suspect or failed"},
	{Name: string(ProbeOldLeader), Component: "Roster", Marks: "news of a leader came after those of a later one"},

	{Name: string(ProbeForgot), Component: "Janitor", Marks: "retention dropped something"},
	{Name: string(ProbeMoreToForget), Component: "Janitor", Marks: "retention drops more than one entry takes"},
	{Name: string(ProbeForgetLost), Component: "Janitor", Marks: "a Forget was refused, or nobody knows what became of it"},
	{Name: string(ProbeJobExpired), Component: "Janitor", Marks: "a job whose time is over is deleted"},

	{Name: string(ProbeNoticeSilent), Component: "Notifier", Marks: "a receiver did not answer for ten seconds"},
	{Name: string(ProbeNoticeFailed), Component: "Notifier", Marks: "a notification failed and is tried again"},
	{Name: string(ProbeNoticesFull), Component: "Notifier", Marks: "as many notifications are under way as may be"},
	{Name: string(ProbeDrainLost), Component: "Notifier", Marks: "a Drained was refused, or nobody knows what became of it"},
	{Name: string(ProbeNoticesLeft), Component: "Notifier", Marks: "a new leader finds notifications that its predecessor left"},
}
