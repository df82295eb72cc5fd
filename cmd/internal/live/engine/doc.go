// Package engine lives scenarios with real agents: the same files that package sim lives on
// a virtual clock, here on the wall's, with processes that are killed, stopped and cut off.
// The same promises judge both, by what the jobs wrote of themselves, what clients asked
// and were told, and the log that the servers' disks hold in the end.
//
// A run is not repeatable: the seed decides what is drawn, whom faults hit and when, what
// clients ask and what processes do, and not how long anything takes.
package engine
