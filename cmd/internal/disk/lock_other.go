//go:build !unix

package disk

// lockDir locks nothing: here a data directory has one user by the way it is given out.
func lockDir(string) (unlock func() error, err error) { return func() error { return nil }, nil }
