// Package sandbox is the engine in which the production agent itself lives: cmd/orrery built
// for WebAssembly, with the real raft, serf and HTTP, one instance for each member, on the
// clocks, the network, the disks and the chance of a world of package sim. Two runs under
// one seed are the same to the byte.
//
// A machine here is what a computer is to a process: a disk that keeps files (sim/files), an
// operating system's sockets (netsim/socket), a supervisor of job processes (sim/process),
// and the agent (kernel). A crash drops the instance, and the machine's operating system
// resets its connections; a power loss says nothing to anybody and takes what was not
// synced. Clients speak HTTP to the members over the same network (outside).
//
// What is judged is read off what happens: the processes of the supervisor, what clients
// were told, what receivers of webhooks got, and what the agent's log gave its state, which
// the agent tells through a device (tap).
package sandbox
