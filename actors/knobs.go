package actors

// Rule is a knob: a rule of the actors that a simulation breaks on purpose, to see
// that a promise notices.
type Rule struct {
	Name   string
	Breaks string // what goes wrong while the knob is turned
}

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
)

// Knobs lists every name that an actor of this package asks Env.Knob for.
var Knobs = []Rule{
	{KnobIgnoreFence, "the executor starts an attempt again when it is told twice"},
	{KnobIgnoreLease, "a cut-off executor starts attempts, and keeps its processes, without a lease"},
	{KnobStartBeforeDurable, "the executor starts a process before it has durably noted that it does"},
	{KnobIgnoreIncarnation, "the executor starts what was assigned to the agent before it"},
	{KnobDropResult, "the executor tells a result once and forgets it"},
	{KnobLostAtOnce, "the dispatcher gives up a member's attempts when one heartbeat is missing"},
	{KnobAckBeforeCommit, "the dispatcher acknowledges a result before it is committed"},
	{KnobIgnoreTags, "the dispatcher chooses members whatever their tags"},
	{KnobNeverRedeliver, "the dispatcher tells an executor once what to do, and never again"},
	{KnobAssignWithoutSession, "the dispatcher places attempts on members that gossip calls alive"},
	{KnobGrantWithoutQuorum, "the dispatcher renews leases without asking whether it still leads"},

	{KnobForgetDue, "the scheduler moves a job's head on and fires nothing"},
	{KnobFireEarly, "the scheduler fires a due time a minute before it comes"},
	{KnobNeverRetryProposal, "the scheduler never makes a decision again that was not taken"},
	{KnobForgetOutbox, "the chain leaves the outbox as it is"},
	{KnobNeverForget, "the janitor forgets nothing"},
	{KnobDrainBeforeEffect, "the notifier drops a notification before its effect is had"},
	{KnobAckBeforeCommitWrite, "the proposer says that a client's write was done when it is proposed"},
	{KnobAnswerUnavailableForUnknown, "the gateway says of a write that may have happened that it did not"},
	{KnobRetryAsNew, "the gateway sends a write again under another request id"},
	{KnobReadWithoutQuorum, "the gateway answers consistent reads without asking whether it still leads"},
}

// KnobNamed looks a knob up by its name.
func KnobNamed(name string) (Rule, bool) {
	for _, r := range Knobs {
		if r.Name == name {
			return r, true
		}
	}
	return Rule{}, false
}
