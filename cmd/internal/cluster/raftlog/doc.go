// Package raftlog is the replicated log of a server in the real world: hashicorp/raft
// behind the port [store.Log].
//
// It refuses to know what entries mean, with two exceptions that concern the state as a
// whole: a restore by hand raises its counters ([store.Raise]), and the recovery of a
// lost quorum applies what the log still holds.
//
// # What it adds to hashicorp/raft
//
// Indexes without a gap: entries of raft's own are delivered as empty ones. An entry that
// was committed in another term than it was proposed in is delivered empty on every
// server, so what the port says of terms holds. Leadership is announced when a barrier of
// this server comes out of the log, in its place between the entries. A quorum check
// counts answers to what was sent after the check began; raft's own VerifyLeader takes
// answers to older requests too, which a leader that was paused finds in its sockets.
//
// # When the quorum is lost
//
// A majority of the servers is gone for good. Stop the servers that are left, write into
// the folder of the log of each one of them a file peers.json that names them:
//
//	[{"id": "node1", "address": "10.0.0.1:6868"}]
//
// and start them. Each takes what its log holds for committed and the servers of the file
// for the cluster; the file is removed when that is done. "id" is the member's name,
// "address" its RPC address. An entry that no majority had may come into effect by this.
package raftlog
