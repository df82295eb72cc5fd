package actors

import "orrery"

// The knobs of this package, by the actor that obeys the rule.
const (
	KnobIgnoreFence          = "ignore-fence"
	KnobIgnoreLease          = "ignore-lease"
	KnobStartBeforeDurable   = "start-before-durable"
	KnobIgnoreIncarnation    = "ignore-incarnation"
	KnobDropResult           = "drop-result"
	KnobLostAtOnce           = "lost-at-once"
	KnobAckBeforeCommit      = "ack-before-commit"
	KnobIgnoreTags           = "ignore-tags"
	KnobNeverRedeliver       = "never-redeliver"
	KnobAssignWithoutSession = "assign-without-session"
	KnobGrantWithoutQuorum   = "grant-without-quorum"
	KnobLeaseByWallClock     = "lease-by-wall-clock"
	KnobRaiseFloorEarly      = "raise-floor-early"
	KnobBelieveOld           = "believe-old-incarnation"

	KnobForgetDue                   = "forget-due"
	KnobFireEarly                   = "fire-early"
	KnobNeverRetryProposal          = "never-retry-proposal"
	KnobForgetOutbox                = "forget-outbox"
	KnobNeverForget                 = "never-forget"
	KnobDrainBeforeEffect           = "drain-before-effect"
	KnobAckBeforeCommitWrite        = "ack-before-commit-write"
	KnobAnswerUnavailableForUnknown = "answer-unavailable-for-unknown"
	KnobRetryAsNew                  = "retry-as-new"
	KnobReadWithoutQuorum           = "read-without-quorum"
	KnobProposeInOldTerm            = "propose-in-old-term"

	// Published bugs of other schedulers, recreated.
	KnobDkron541      = "dkron-541"
	KnobDkron998      = "dkron-998"
	KnobChronos511    = "chronos-511"
	KnobApplyNewEarly = "apply-new-early"
)

// Knobs lists every name that an actor of this package asks Env.Knob for.
var Knobs = orrery.Knobs{
	{Name: KnobIgnoreFence, Component: "Executor", Breaks: "the executor starts an attempt again when it is told twice"},
	{Name: KnobIgnoreLease, Component: "lease", Breaks: "a cut-off executor starts attempts, and keeps its processes, without a lease"},
	{Name: KnobStartBeforeDurable, Component: "Executor", Breaks: "the executor starts a process before it has durably noted that it does"},
	{Name: KnobIgnoreIncarnation, Component: "Executor", Breaks: "the executor starts what was assigned to the agent before it"},
	{Name: KnobDropResult, Component: "Executor", Breaks: "the executor tells a result once and forgets it"},
	{Name: KnobLostAtOnce, Component: "lease", Breaks: "the dispatcher gives up a member's attempts when one heartbeat is missing"},
	{Name: KnobAckBeforeCommit, Component: "Dispatcher", Breaks: "the dispatcher acknowledges a result before it is committed"},
	{Name: KnobIgnoreTags, Component: "Dispatcher", Breaks: "the dispatcher chooses members whatever their tags"},
	{Name: KnobNeverRedeliver, Component: "Dispatcher", Breaks: "the dispatcher tells an executor once what to do, and never again"},
	{Name: KnobAssignWithoutSession, Component: "Dispatcher", Breaks: "the dispatcher places attempts on members that gossip calls alive"},
	{Name: KnobGrantWithoutQuorum, Component: "lease", Breaks: "the dispatcher renews leases without asking whether it still leads"},
	{Name: KnobLeaseByWallClock, Component: "lease", Breaks: "the executor counts its lease by the wall clock, which may be set back"},
	{Name: KnobRaiseFloorEarly, Component: "Dispatcher", Breaks: "the dispatcher calls fences over that their member was not told of yet"},
	{Name: KnobBelieveOld, Component: "Roster", Breaks: "of two incarnations of a member the roster believes the earlier"},

	{Name: KnobForgetDue, Component: "Scheduler", Breaks: "the scheduler moves a job's head on and fires nothing"},
	{Name: KnobFireEarly, Component: "Scheduler", Breaks: "the scheduler fires a due time a minute before it comes"},
	{Name: KnobNeverRetryProposal, Component: "Scheduler", Breaks: "the scheduler never makes a decision again that was not taken"},
	{Name: KnobForgetOutbox, Component: "Chain", Breaks: "the chain leaves the outbox as it is"},
	{Name: KnobNeverForget, Component: "Janitor", Breaks: "the janitor forgets nothing"},
	{Name: KnobDrainBeforeEffect, Component: "Notifier", Breaks: "the notifier drops a notification before its effect is had"},
	{Name: KnobAckBeforeCommitWrite, Component: "Proposer", Breaks: "the proposer says that a client's write was done when it is proposed"},
	{Name: KnobAnswerUnavailableForUnknown, Component: "Gateway", Breaks: "the gateway says of a write that may have happened that it did not"},
	{Name: KnobRetryAsNew, Component: "Gateway", Breaks: "the gateway sends a write again under another request id"},
	{Name: KnobReadWithoutQuorum, Component: "Gateway", Breaks: "the gateway answers consistent reads without asking whether it still leads"},
	{Name: KnobApplyNewEarly, Component: "Gateway", Breaks: "the gateway proposes a command that some server may not know yet"},
	{Name: KnobProposeInOldTerm, Component: "Proposer", Breaks: "the proposer keeps what it refused at the end of a leadership, and proposes it in the next"},

	{Name: KnobDkron541, Component: "Scheduler", Breaks: "a new leader begins one due time too early: it fires again what the one before had fired"},
	{Name: KnobDkron998, Component: "Scheduler", Breaks: "a new leader leaves out the jobs that came due while nobody led"},
	{Name: KnobChronos511, Component: "Scheduler", Breaks: "a scheduler that has lost its leadership and gains it again fires nothing"},
}
