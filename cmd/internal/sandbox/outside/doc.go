// Package outside is what is around a cluster in the sandbox: clients of its HTTP API, and
// receivers of its webhooks, on sockets of the simulated network. Nothing in it waits: it is
// driven by its sockets, and the same bytes at the same moments give the same calls.
//
// It speaks as much of HTTP/1.1 as the agents do, and takes whatever they send: what is too
// long or makes no sense is an error, of the client or in an answer of the receiver's.
package outside
