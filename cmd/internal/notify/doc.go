// Package notify tells the world of executions: it makes the requests that the
// notification outbox asks for. What waits, for how long, and that each is made at least
// once is the Notifier's matter; see package actors.
package notify
