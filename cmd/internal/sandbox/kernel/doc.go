// Package kernel is the operating system of one simulated machine as a guest sees it: it
// runs a Go program that was built for wasip1 as one WebAssembly instance under wazero, and
// serves WASI preview 1 and the imports of module "orrery" from a Host: virtual clocks, a
// virtual disk, virtual sockets, chance that follows from a seed.
//
// A guest runs on a coroutine. A step goes from one blocking call to the next (poll_oneoff
// with nothing ready, fd_sync) and takes no virtual time but the few nanoseconds that each
// look at the clock costs. Between two steps the world goes on; a timer on the agent's lane,
// a socket that became ready or a sync that came back starts the next one. So one thing runs
// at a time, everything that a guest sees follows from its Host, and a run can be repeated.
//
// What no guest of ours needs is not served: such a call ends the guest, and Host.Exited is
// told its name and arguments. A guest that loops without a blocking call is ended after
// maxCalls host calls; one that loops without any host call at all cannot be ended.
package kernel
