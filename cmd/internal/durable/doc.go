// Package durable has files outlive a power loss. On an operating system that is os.File's
// Sync, for which only the calling thread waits. In the sandbox, whose guests have one thread,
// it is a call that lets the other goroutines go on.
package durable
