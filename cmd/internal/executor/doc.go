// Package executor carries out attempts: commands of a shell and HTTP calls. They belong to
// one supervisor process per member, which the agent starts and talks to over a socket in
// its data directory, and which outlives it: an agent that crashes, hangs or is upgraded
// finds its attempts again. [Client] is the agent's side of it, behind actors.Supervisor;
// [Supervise] is the supervisor.
//
// It knows no cluster and decides nothing: whether an attempt starts, and under which
// fence, is the Executor's matter. Where there are no processes (any system but Linux) the
// supervisor is part of the agent, offers http alone, and ends with it.
//
// The two speak protobuf messages with a length before each (supervisorpb), because the
// orders carry messages of the wire as they are, and because each may be of another release
// than the other: what one does not know, it passes by.
//
// # When the supervisor dies
//
// Nobody would own its processes then, and the leader may have them started elsewhere. So
// each gets KILL from the kernel when its supervisor ends (PR_SET_PDEATHSIG), and what they
// left in their process groups gets it from the next supervisor, before that answers
// anybody. The agent is told that they ended, by reason `restarted`: to the leader they are
// lost, and on_lost decides what follows.
package executor
