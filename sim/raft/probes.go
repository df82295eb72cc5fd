package raft

import "orrery"

// The rare places of this package. A Node tells its Host when it comes by.
const (
	probePreVoteSheltered   = "raft-pre-vote-sheltered"
	probePreVoteBehind      = "raft-pre-vote-behind"
	probeVoteTaken          = "raft-vote-taken"
	probeVoteBehind         = "raft-vote-behind"
	probeVoteSplit          = "raft-vote-split"
	probeElectionLost       = "raft-election-lost"
	probeCandidateDiskFails = "raft-candidate-disk-fails"
	probeLeaseOver          = "raft-lease-over"
	probeCheckFailed        = "raft-check-failed"
	probeProposalsOpen      = "raft-proposals-open"
	probeOldTermUncounted   = "raft-old-term-uncounted"
	probeTransferBegun      = "raft-transfer-begun"
	probeTransferTimedOut   = "raft-transfer-timed-out"
	probeProposalInTransfer = "raft-proposal-in-transfer"
	probeHeirCalled         = "raft-heir-called"
	probeDeposedSpeaks      = "raft-deposed-speaks"
	probeLogConflict        = "raft-log-conflict"
	probeLogGap             = "raft-log-gap"
	probeProbedBack         = "raft-probed-back"
	probeSnapshotSent       = "raft-snapshot-sent"
	probePieceResent        = "raft-piece-resent"
	probeSnapshotBegunAnew  = "raft-snapshot-begun-anew"
	probeSnapshotOvertaken  = "raft-snapshot-overtaken"
	probeSnapshotEndsTaking = "raft-snapshot-ends-taking"
	probeSnapshotEndsLog    = "raft-snapshot-ends-log"
	probeAnswerLate         = "raft-answer-late"
	probeWriteRetried       = "raft-write-retried"
	probeTailDropped        = "raft-tail-dropped"
	probeSnapshotUnreadable = "raft-snapshot-unreadable"
	probeVoteOlder          = "raft-vote-older"
)

// Probes lists every probe that a Node tells.
var Probes = orrery.Probes{
	{Name: probePreVoteSheltered, Component: "raft", Marks: "a server asks whether it would be elected, and a leader was heard of a moment ago"},
	{Name: probePreVoteBehind, Component: "raft", Marks: "a server whose log is behind asks whether it would be elected"},
	{Name: probeVoteTaken, Component: "raft", Marks: "a vote is refused because another candidate of the term has it"},
	{Name: probeVoteBehind, Component: "raft", Marks: "a vote is refused because the log of the candidate is behind"},
	{Name: probeVoteSplit, Component: "raft", Marks: "a candidate had no majority when its time was over"},
	{Name: probeElectionLost, Component: "raft", Marks: "a candidate hears another leader of its term"},
	{Name: probeCandidateDiskFails, Component: "raft", Marks: "a server does not ask for votes because its disk fails"},
	{Name: probeLeaseOver, Component: "raft", Marks: "a leader steps down because no majority answers"},
	{Name: probeCheckFailed, Component: "raft", Marks: "a leader steps down while quorum checks are under way"},
	{Name: probeProposalsOpen, Component: "raft", Marks: "a leader steps down with entries that may yet be committed"},
	{Name: probeOldTermUncounted, Component: "raft", Marks: "a majority has an entry of an earlier term, which is not committed by counting"},
	{Name: probeTransferBegun, Component: "raft", Marks: "a leader hands over"},
	{Name: probeTransferTimedOut, Component: "raft", Marks: "the heir did not take over in time"},
	{Name: probeProposalInTransfer, Component: "raft", Marks: "a proposal is refused while leadership is handed over"},
	{Name: probeHeirCalled, Component: "raft", Marks: "a follower becomes candidate by its leader's wish"},
	{Name: probeDeposedSpeaks, Component: "raft", Marks: "a word comes of a leader whose term has passed"},
	{Name: probeLogConflict, Component: "raft", Marks: "entries that were not committed are replaced"},
	{Name: probeLogGap, Component: "raft", Marks: "a follower lacks what comes before the entries it is sent"},
	{Name: probeProbedBack, Component: "raft", Marks: "a leader goes back to where the logs may meet"},
	{Name: probeSnapshotSent, Component: "raft", Marks: "a follower is so far behind that it gets the snapshot"},
	{Name: probePieceResent, Component: "raft", Marks: "a piece of a snapshot was not answered and is sent again"},
	{Name: probeSnapshotBegunAnew, Component: "raft", Marks: "another snapshot comes before all pieces of the one before"},
	{Name: probeSnapshotOvertaken, Component: "raft", Marks: "the entries came before the snapshot that was to replace them was on the disk"},
	{Name: probeSnapshotEndsTaking, Component: "raft", Marks: "a snapshot is installed while one of the own state is being taken"},
	{Name: probeSnapshotEndsLog, Component: "raft", Marks: "a snapshot replaces the log, which does not lead up to it"},
	{Name: probeAnswerLate, Component: "raft", Marks: "a promise is not given: the term passed while the disk wrote"},
	{Name: probeWriteRetried, Component: "raft", Marks: "a write that failed is tried again"},
	{Name: probeTailDropped, Component: "raft", Marks: "entries at the end of the log do not hang together at boot"},
	{Name: probeSnapshotUnreadable, Component: "raft", Marks: "a snapshot on the disk is not whole at boot"},
	{Name: probeVoteOlder, Component: "raft", Marks: "the vote on the disk is older than the log at boot"},
}
