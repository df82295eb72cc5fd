// Package socket is the network stack of a simulated machine: listeners, streams and packets, as TCP and UDP
// of Linux give them to a process, over frames that a network may lose, double, reorder and delay.
//
// It is a real protocol and not a wire that looks perfect: a lost segment costs a time-out, a paused reader
// closes the window, a machine that lost its power leaves its peers half open until they send. A program
// that was written for Linux meets here what it would meet there.
//
// What differs from Linux, and why:
//
//   - Sequence numbers have 64 bits, so that nothing of an old connection is ever taken for a part of a new one.
//   - There is no selective acknowledgement: of several segments lost in one window each costs a round trip.
//   - There are no keepalives: an idle connection has no timers, and costs nothing.
//   - The death of a process resets its connections, see [Stack.Reset].
//   - A finished connection is remembered for a minute without a timer; what is too old is dropped when others finish.
//
// Everything is driven by calls, from one goroutine, and all chance comes from the caller: the same calls
// make the same segments.
package socket
