// Package live runs clusters of real agents on this machine and breaks them: it kills and
// stops their processes, takes their power, fills their disks, and lets their network fail.
// It is what process tests, the live engine of sim and orrery bench stand on.
//
// A member has an address of its own below 127.0.0.0/8, a folder, and processes that carry
// its name in their environment: the agent, the supervisor that the agent starts, and the
// supervisor's jobs. All that members say to each other passes through relays at the
// addresses that they advertise; the agents are the ones that operators run, with nothing
// built in for the sake of tests.
//
// What it does not do: lose what was written and not synced (a power loss here ends
// processes, and the kernel keeps what they wrote), and turn clocks, for one machine has
// one. It needs Linux, and root for small disks alone.
package live
