// Package orrery holds the words of the scheduler: what a job, a schedule, an
// execution and an attempt are, and the decisions that follow from them alone.
//
// Everything here is a value or a pure function. Functions that depend on the
// time take it as an argument. The package imports nothing of this module, opens
// no file, reads no clock and starts no goroutine: it can be read, tested and
// believed without knowing that there is a cluster.
package orrery
