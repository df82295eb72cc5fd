// Package sim is the world: a cluster that lives on one goroutine, on a virtual clock,
// over a simulated network, disks and processes, and does the same thing again for the
// same seed. It runs the production actors; what is simulated stands behind their ports.
//
// The world itself is a loop over what is due: a timer, else one message of one mailbox
// that chance picks, else a jump of the clock to the next timer. Chance comes in
// independent streams, one a concern, so that a new fault does not reshuffle the
// workload. Everything that happens goes into a trace, whose hash tells whether two runs
// were one.
//
// It opens no file, prints nothing and starts no goroutine: cmd/sim does.
package sim
